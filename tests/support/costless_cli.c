/* A CLI that costs nothing, for scripts/bench: it does what its prompt says.
 *
 *   lines N     print N lines of 100 bytes, as fast as it can
 *   ticks N     print N lines, one each 10 ms, that hold the monotonic clock in nanoseconds
 *   idle        print one line, then nothing until it is ended
 *   hello       print one line
 *
 * Every run ends with a result line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char result[] = "{\"type\":\"result\",\"is_error\":false}\n";
static char block[100 * 640];

static void put(const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(STDOUT_FILENO, bytes, size);
        if (written < 0)
            exit(1);
        bytes += written;
        size -= (size_t)written;
    }
}

int main(int argc, char **argv)
{
    char input[4096];
    size_t held = 0;
    ssize_t got;

    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("0.0.0 (costless)");
        return 0;
    }
    while (held < sizeof input - 1 && (got = read(STDIN_FILENO, input + held, sizeof input - 1 - held)) > 0)
        held += (size_t)got;
    input[held] = '\0';

    const char *mark = "\"content\": \"";
    const char *prompt = strstr(input, mark);
    if (prompt == NULL)
        return 1;
    prompt += strlen(mark);

    if (strncmp(prompt, "lines ", 6) == 0) {
        long left = atol(prompt + 6);
        memset(block, 'x', sizeof block);
        for (size_t end = 99; end < sizeof block; end += 100)
            block[end] = '\n';
        for (; left >= 640; left -= 640)
            put(block, sizeof block);
        put(block, (size_t)left * 100);
    } else if (strncmp(prompt, "ticks ", 6) == 0) {
        for (long left = atol(prompt + 6); left > 0; left--) {
            struct timespec now, pause = {0, 10000000};
            char line[64];
            nanosleep(&pause, NULL);
            clock_gettime(CLOCK_MONOTONIC, &now);
            put(line, (size_t)sprintf(line, "%lld\n", (long long)now.tv_sec * 1000000000 + now.tv_nsec));
        }
    } else if (strncmp(prompt, "idle", 4) == 0) {
        put("idle\n", 5);
        for (;;)
            pause();
    } else {
        put("hello\n", 6);
    }
    put(result, sizeof result - 1);
    return 0;
}
