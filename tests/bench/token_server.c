/* The fastest server there is for throughput.py: answers every POST at once with the same stream of tokens.
 *
 *     cc -O2 -o token_server token_server.c && ./token_server TOKENS
 *
 * Listens on 127.0.0.1, prints its port, serves one thread's worth of epoll, ends when its stdin does.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_FD = 4096, MAX_REQUEST = 65536, MAX_TOKENS = 1000 };

static char answer[512 * MAX_TOKENS];
static size_t answer_size;
static struct { char text[MAX_REQUEST]; size_t size; } request[MAX_FD];

static void add_chunk(const char *choices, const char *rest)
{
    char event[512];
    int n = *choices
        ? snprintf(event, sizeof event,
                   "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,"
                   "\"model\":\"m\",\"choices\":[%s]%s}\n\n", choices[0] == '-' ? "" : choices, rest)
        : snprintf(event, sizeof event, "data: [DONE]\n\n");
    answer_size += sprintf(answer + answer_size, "%x\r\n%s\r\n", n, event);
}

static void build_answer(int tokens)
{
    char usage[128];
    answer_size = sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n");
    add_chunk("{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}", "");
    for (int i = 1; i <= tokens; i++)
        add_chunk(i < tokens ? "{\"index\":0,\"delta\":{\"content\":\" token\"},\"finish_reason\":null}"
                             : "{\"index\":0,\"delta\":{\"content\":\" token\"},\"finish_reason\":\"length\"}", "");
    snprintf(usage, sizeof usage, ",\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":%d,\"total_tokens\":%d}",
             tokens, tokens + 5);
    add_chunk("-", usage);
    add_chunk("", "");
    answer_size += sprintf(answer + answer_size, "0\r\n\r\n");
}

static int request_is_complete(int fd)
{
    char *end = strstr(request[fd].text, "\r\n\r\n");
    if (!end)
        return 0;
    char *length = strcasestr(request[fd].text, "content-length: ");
    size_t need = (size_t)(end + 4 - request[fd].text) + (length && length < end ? strtoul(length + 16, NULL, 10) : 0);
    return request[fd].size >= need;
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
    if (!request_is_complete(fd))
        return;
    request[fd].size = 0;
    if (write(fd, answer, answer_size) != (ssize_t)answer_size)
        close(fd);
}

int main(int argc, char **argv)
{
    int on = 1, tokens = argc == 2 ? atoi(argv[1]) : 0;
    if (tokens < 1 || tokens > MAX_TOKENS)
        return fprintf(stderr, "usage: token_server TOKENS (1 to %d)\n", MAX_TOKENS), 2;
    build_answer(tokens);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1024)
        || getsockname(listener, (struct sockaddr *)&address, &size))
        return perror("token_server"), 1;
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);

    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    event.data.fd = STDIN_FILENO;
    epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event);
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
            int accepted = accept(listener, NULL, NULL);
            if (accepted < 0 || accepted >= MAX_FD) {
                close(accepted);
                continue;
            }
            setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            request[accepted].size = 0;
            event.data.fd = accepted;
            epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &event);
        }
    }
}
