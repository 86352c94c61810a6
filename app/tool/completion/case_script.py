"""The branches of the `case` commands in the completion scripts for bash and zsh. Pure."""

from collections.abc import Callable, Iterable, Mapping

from app.tool.completion.words import PROGRAM, Command, Value


def fill(
    script: str,
    commands: Iterable[Command],
    offer: Callable[[Iterable[tuple[str, str]]], str],
    offer_value: Callable[[Value], str],
) -> str:
    """Fill in the fields of a script: `program`, `valued`, `values`, `options`, `arguments`.

    `offer` returns the shell's code that offers these words, each with its help, `offer_value` the
    code that offers what can stand for a value.
    """
    rows = list(commands)
    options = [option for command in rows for option in command.options]
    values = {option.names: option.value for option in options if option.value is not None}
    arguments = {":0": offer((command.name, command.help) for command in rows if command.name)}
    for command in rows:
        for place, value in enumerate(command.arguments):
            if value != Value():
                arguments[f"{command.name}:{place}"] = offer_value(value)
    return script.format(
        program=PROGRAM,
        valued="|".join(name for names in values for name in names),
        values=_branches(
            {
                "|".join(names): offer_value(value)
                for names, value in values.items()
                if value != Value()
            }
        ),
        options=_branches({command.name or "''": offer(_options(command)) for command in rows}),
        arguments=_branches(arguments),
    )


def _options(command: Command) -> Iterable[tuple[str, str]]:
    return ((name, option.help) for option in command.options for name in option.names)


def _branches(code: Mapping[str, str]) -> str:
    """The branches of a `case`, given the code for each pattern."""
    return "\n".join(f"{'':12}({pattern}) {each} ;;" for pattern, each in code.items())
