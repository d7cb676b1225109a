/* The fastest server there is: answers every POST at once with the same stream of tokens.
 *
 *     cc -O2 -o token_server token_server.c && ./token_server TOKENS
 *
 * Listens on 127.0.0.1, prints its port, serves one thread's worth of epoll, ends when its stdin does.
 */
#define _GNU_SOURCE
#include "stream_server.h"

static char answer[MAX_MESSAGE * (MAX_TOKENS + 4)];
static size_t answer_size;
static struct { char text[MAX_REQUEST]; size_t size; } request[MAX_FD];

static void build_answer(int tokens)
{
    answer_size = (size_t)sprintf(answer, "%s", STREAM_HEAD);
    answer_size += role_message(answer + answer_size);
    for (int i = 1; i <= tokens; i++)
        answer_size += token_message(answer + answer_size, i == tokens);
    answer_size += closing_messages(answer + answer_size, tokens);
}

static void serve(int fd)
{
    ssize_t n = read(fd, request[fd].text + request[fd].size, MAX_REQUEST - 1 - request[fd].size);
    if (n <= 0) {
        close(fd);
        return;
    }
    request[fd].size += (size_t)n;
    request[fd].text[request[fd].size] = 0;
    if (!request_is_complete(request[fd].text, request[fd].size))
        return;
    request[fd].size = 0;
    int is_get = request[fd].text[0] == 'G';
    const char *data = is_get ? MODELS : answer;
    size_t size = is_get ? sizeof MODELS - 1 : answer_size;
    if (write(fd, data, size) != (ssize_t)size)
        close(fd);
}

int main(int argc, char **argv)
{
    int tokens = argc == 2 ? atoi(argv[1]) : 0;
    if (tokens < 1 || tokens > MAX_TOKENS)
        return fprintf(stderr, "usage: token_server TOKENS (1 to %d)\n", MAX_TOKENS), 2;
    build_answer(tokens);
    int listener = listen_on_loopback(), epoll = epoll_create1(0);
    if (listener < 0)
        return 1;
    watch(epoll, listener);
    watch(epoll, STDIN_FILENO);
    struct epoll_event events[256];
    for (;;) {
        int n = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == STDIN_FILENO)
                return 0;
            if (fd != listener) {
                serve(fd);
                continue;
            }
            int accepted = accept_one(listener);
            if (accepted < 0)
                continue;
            request[accepted].size = 0;
            watch(epoll, accepted);
        }
    }
}
