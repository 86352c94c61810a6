"""The introduction of the OpenAPI document: how to begin, and the words to know. Pure."""

#: Stands for the gateway's address, which only its clients know. The pages put theirs in.
ADDRESS = "http://127.0.0.1:9876"
_DEFAULT_USER = "admin"

_TEXT = """\
Run the Claude Code CLI over HTTP: send a prompt, and read what Claude does as it happens.

## Start here

**1. Log in.** The operator has a user name and a password (AUTH_USER, AUTH_PASSWORD), and may have
made keys for others (API_KEYS). On the page `/docs`, press **Authorize** and enter either.

**2. Run a job.** In a terminal; curl asks for the password:

```
curl -N -u {user} {address}/chat \\
  -H 'Content-Type: application/json' \\
  -d '{{"prompt": "Which files are here?", "cwd": "{folder}"}}'
```

{replace}With a key, replace `-u {user}` by `-H 'Authorization: Bearer KEY'`. `cwd` is the folder in
which Claude works, on the gateway's machine. By default Claude may use all of its tools: it reads
and changes files, and runs commands. `allowed_tools` and `permission_mode` allow less.

**3. Read the answer.** Each `event: message` is one line that the CLI prints, as JSON. The last
event, `event: done`, has the job's `status`. For the text of the answer alone, add
`-H 'Accept: text/plain'`.

## Words

- A **job** is one prompt and all that Claude does for it. Its id is the `process_id`, which the
  response has in its header `X-Process-ID`.
- A **session** is a conversation with Claude. To go on with it, send the `session_id` of the last
  job with the next one.
- A **run** is a process of the CLI. It usually serves one job; with `keep_alive` it stays for the
  session's next jobs.
- Names in capitals, such as MAX_JOBS, are settings of the gateway (its file `.env`).

## Errors

Errors are JSON with a message for people (`detail`), a stable code for programs (`code`) and the
id under which the log has the request (`request_id`). Each operation lists its own. Any path can
also respond with 404 `not_found`, 405 `method_not_allowed` with `Allow`, 417 `expectation_failed`,
or 501 `transfer_coding_not_supported`. Requests from web pages of other sites are refused (403
`cross_site_request`) unless their origin is in CORS_ORIGINS.
"""


def introduction(user: str = _DEFAULT_USER, *, is_confined: bool = False) -> str:
    """The text in CommonMark, for a gateway with this AUTH_USER.

    `is_confined`: CWD_ROOTS is set. Everyone can read the text, so it has no name and no path that
    is not a default.
    """
    replace = {}
    if user != _DEFAULT_USER:
        replace["USER"] = "AUTH_USER"
    if is_confined:
        replace["/FOLDER"] = "a folder in CWD_ROOTS"
    return _TEXT.format(
        address=ADDRESS,
        user="USER" if "USER" in replace else user,
        folder="/FOLDER" if is_confined else "/tmp",  # noqa: S108 - an example
        replace="".join(f"Replace `{name}` by {meaning}. " for name, meaning in replace.items()),
    )
