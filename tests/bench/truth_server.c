/* A server whose log is the truth: when the kernel had each request, and when each of its tokens was sent.
 *
 *     cc -O2 -o truth_server truth_server.c && ./truth_server TOKENS FIRST_US GAP_US
 *
 * The first token of an answer is due FIRST_US after the kernel's receive stamp of the request's last byte, the next
 * ones GAP_US apart; due times are absolute, so that a late token delays no other. The head and a message with the
 * role go out at once. Every token is a send of its own, stamped right before the call: over loopback the peer's
 * kernel stamps the data inside that call. All stamps are CLOCK_REALTIME ns.
 *
 * Listens on 127.0.0.1 and prints its port. A line on stdin prints the log as one line of JSON and clears it; the end
 * of stdin ends it. Python holds its own with 128 streams of 200 tokens/s on a core; this is for more.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <time.h>

#include "stream_server.h"

enum { ID_SIZE = 64, MAX_DUE = 4 * MAX_FD };

struct row { char id[ID_SIZE]; int64_t received; int sent; };
struct due { int64_t at; int fd; long row; };

static int tokens;
static int64_t first_ns, gap_ns;
static char head[2 * MAX_MESSAGE], middle[MAX_MESSAGE], last[4 * MAX_MESSAGE];
static size_t head_size, middle_size, last_size;

static struct { char text[MAX_REQUEST]; size_t size; long row; } connection[MAX_FD];
static struct row *rows;
static int64_t *stamps; /* `tokens` for each row */
static long row_count, row_room, user_stamps;
static struct due heap[MAX_DUE];
static int heap_size;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* The heap of next tokens, the earliest at 0. */

static void sink(struct due item)
{
    int at = 0;
    for (int child; (child = 2 * at + 1) < heap_size; at = child) {
        if (child + 1 < heap_size && heap[child + 1].at < heap[child].at)
            child++;
        if (item.at <= heap[child].at)
            break;
        heap[at] = heap[child];
    }
    heap[at] = item;
}

static void push(struct due item)
{
    if (heap_size == MAX_DUE) {
        fprintf(stderr, "truth_server: too many connections were closed in the middle of their answers\n");
        exit(1);
    }
    int at = heap_size++;
    for (int up; at && heap[up = (at - 1) / 2].at > item.at; at = up)
        heap[at] = heap[up];
    heap[at] = item;
}

static void pop(void)
{
    struct due item = heap[--heap_size];
    sink(item);
}

static void hang_up(int fd)
{
    connection[fd].row = -1;
    close(fd);
}

static int send_all(int fd, const char *data, size_t size)
{
    if (send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size)
        return 1;
    hang_up(fd); /* a client that does not read 64 tokens: no measurement anyway */
    return 0;
}

static void fire(void)
{
    while (heap_size && heap[0].at <= now_ns()) {
        struct due due = heap[0];
        if (connection[due.fd].row != due.row) { /* the client hung up */
            pop();
            continue;
        }
        int k = rows[due.row].sent++, is_last = k == tokens - 1;
        stamps[due.row * tokens + k] = now_ns();
        int is_sent = is_last ? send_all(due.fd, last, last_size) : send_all(due.fd, middle, middle_size);
        if (!is_sent || is_last) {
            if (is_sent)
                connection[due.fd].row = -1;
            pop();
            continue;
        }
        due.at += gap_ns;
        sink(due);
    }
}

static void begin(int fd, int64_t received)
{
    if (row_count == row_room) {
        row_room = row_room ? 2 * row_room : 8192;
        rows = realloc(rows, (size_t)row_room * sizeof *rows);
        stamps = realloc(stamps, (size_t)row_room * (size_t)tokens * sizeof *stamps);
        if (!rows || !stamps)
            exit(1);
    }
    long row = row_count++;
    const char *text = connection[fd].text, *id = header(text, strstr(text, "\r\n\r\n"), "\r\nx-request-id: ");
    size_t id_size = id ? strcspn(id, "\r\"\\") : 0;
    id_size = id_size < ID_SIZE ? id_size : ID_SIZE - 1;
    memcpy(rows[row].id, id ? id : "", id_size);
    rows[row].id[id_size] = 0;
    rows[row].received = received;
    rows[row].sent = 0;
    connection[fd].row = row;
    if (send_all(fd, head, head_size))
        push((struct due){.at = received + first_ns, .fd = fd, .row = row});
}

static ssize_t receive(int fd, int64_t *received)
{
    char control[64];
    struct iovec data = {connection[fd].text + connection[fd].size, MAX_REQUEST - 1 - connection[fd].size};
    struct msghdr got = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(fd, &got, MSG_DONTWAIT);
    struct cmsghdr *stamp = CMSG_FIRSTHDR(&got);
    if (n > 0 && stamp && stamp->cmsg_type == SO_TIMESTAMPNS) {
        struct timespec at;
        memcpy(&at, CMSG_DATA(stamp), sizeof at);
        *received = at.tv_sec * INT64_C(1000000000) + at.tv_nsec;
    } else {
        *received = now_ns();
        user_stamps += n > 0;
    }
    return n;
}

static void serve(int fd)
{
    int64_t received;
    ssize_t n = receive(fd, &received);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            hang_up(fd);
        return;
    }
    connection[fd].size += (size_t)n;
    connection[fd].text[connection[fd].size] = 0;
    if (!request_is_complete(connection[fd].text, connection[fd].size))
        return;
    connection[fd].size = 0;
    if (connection[fd].text[0] == 'G')
        send_all(fd, MODELS, sizeof MODELS - 1);
    else
        begin(fd, received);
}

static void print_log(void)
{
    printf("{\"clock\":\"realtime_ns\",\"user_stamps\":%ld,\"requests\":[", user_stamps);
    for (long i = 0; i < row_count; i++) {
        printf("%s{\"id\":\"%s\",\"t_recv_ns\":%lld,\"sent_ns\":[", i ? "," : "", rows[i].id,
               (long long)rows[i].received);
        for (int k = 0; k < rows[i].sent; k++)
            printf("%s%lld", k ? "," : "", (long long)stamps[i * tokens + k]);
        printf("]}");
    }
    printf("]}\n");
    fflush(stdout);
    row_count = user_stamps = heap_size = 0;
    for (int fd = 0; fd < MAX_FD; fd++)
        connection[fd].row = -1;
}

int main(int argc, char **argv)
{
    int on = 1;
    tokens = argc == 4 ? atoi(argv[1]) : 0;
    if (tokens < 1 || tokens > MAX_TOKENS)
        return fprintf(stderr, "usage: truth_server TOKENS (1 to %d) FIRST_US GAP_US\n", MAX_TOKENS), 2;
    first_ns = atoll(argv[2]) * 1000;
    gap_ns = atoll(argv[3]) * 1000;
    head_size = (size_t)sprintf(head, "%s", STREAM_HEAD);
    head_size += role_message(head + head_size);
    middle_size = token_message(middle, 0);
    last_size = token_message(last, 1);
    last_size += closing_messages(last + last_size, tokens);
    for (int fd = 0; fd < MAX_FD; fd++)
        connection[fd].row = -1;

    int listener = listen_on_loopback(), epoll = epoll_create1(0), timer = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
    if (listener < 0)
        return 1;
    setsockopt(listener, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on); /* its connections inherit it */
    watch(epoll, listener);
    watch(epoll, STDIN_FILENO);
    watch(epoll, timer);
    struct epoll_event events[256];
    for (;;) {
        if (heap_size) { /* setting it anew takes back that it had expired */
            struct itimerspec next = {.it_value = {heap[0].at / 1000000000, heap[0].at % 1000000000}};
            timerfd_settime(timer, TFD_TIMER_ABSTIME, &next, NULL);
        } else {
            timerfd_settime(timer, 0, &(struct itimerspec){0}, NULL);
        }
        int n = epoll_wait(epoll, events, 256, -1);
        fire();
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == STDIN_FILENO) {
                char line[256];
                if (read(STDIN_FILENO, line, sizeof line) <= 0)
                    return 0;
                print_log();
            } else if (fd == listener) {
                int accepted = accept_one(listener);
                if (accepted < 0)
                    continue;
                connection[accepted].size = 0;
                connection[accepted].row = -1;
                watch(epoll, accepted);
            } else if (fd != timer) {
                serve(fd);
            }
        }
    }
}
