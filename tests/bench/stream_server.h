/* What token_server.c and truth_server.c share: listening, reading requests, the messages of a stream. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_FD = 20000, MAX_REQUEST = 32768, MAX_TOKENS = 1000, MAX_MESSAGE = 512 };

static const char STREAM_HEAD[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n";
static const char MODELS[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 54\r\n\r\n"
                             "{\"object\":\"list\",\"data\":[{\"id\":\"m\",\"object\":\"model\"}]}";

/* Each appends one HTTP chunk to `to` and returns its size. */

static size_t chunk(char *to, const char *event)
{
    return (size_t)sprintf(to, "%zx\r\n%s\r\n", strlen(event), event);
}

static size_t message(char *to, const char *choices, const char *rest)
{
    char event[MAX_MESSAGE];
    snprintf(event, sizeof event,
             "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,"
             "\"model\":\"m\",\"choices\":[%s]%s}\n\n", choices, rest);
    return chunk(to, event);
}

static size_t role_message(char *to)
{
    return message(to, "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}", "");
}

static size_t token_message(char *to, int is_last)
{
    return message(to, is_last ? "{\"index\":0,\"delta\":{\"content\":\" token\"},\"finish_reason\":\"length\"}"
                               : "{\"index\":0,\"delta\":{\"content\":\" token\"},\"finish_reason\":null}", "");
}

static size_t closing_messages(char *to, int tokens)
{
    char usage[128];
    snprintf(usage, sizeof usage, ",\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":%d,\"total_tokens\":%d}",
             tokens, tokens + 5);
    size_t size = message(to, "", usage);
    size += chunk(to + size, "data: [DONE]\n\n");
    return size + (size_t)sprintf(to + size, "0\r\n\r\n");
}

static const char *header(const char *text, const char *end, const char *name)
{
    const char *at = strcasestr(text, name);
    return at && at < end ? at + strlen(name) : NULL;
}

static int request_is_complete(const char *text, size_t size)
{
    const char *end = strstr(text, "\r\n\r\n");
    if (!end)
        return 0;
    const char *length = header(text, end, "\r\ncontent-length: ");
    return size >= (size_t)(end + 4 - text) + (length ? strtoul(length, NULL, 10) : 0);
}

/* A listener on 127.0.0.1 whose port is printed; -1 with the reason on stderr. */
static int listen_on_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < MAX_FD ? files.rlim_max : MAX_FD; /* an open loop may come with thousands */
    setrlimit(RLIMIT_NOFILE, &files);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096)
        || getsockname(listener, (struct sockaddr *)&address, &size))
        return perror("listen"), -1;
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Accept one connection without delay of small packets; -1 where there is no room for it. */
static int accept_one(int listener)
{
    int on = 1, fd = accept(listener, NULL, NULL);
    if (fd >= MAX_FD) {
        close(fd);
        return -1;
    }
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}
