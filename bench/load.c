/* Load for bench/serve.py: CONNECTIONS clients in one thread, each of which sends 64 bytes, waits
 * until the same 64 have come back, and sends the next.
 *
 *     load PORT ws|tcp CONNECTIONS SECONDS
 *
 * Prints "connected" once all are, and begins when a line comes; prints how many messages came back
 * in SECONDS, and leaves when standard input ends. So what connections cost need not be counted.
 *
 * With ws, messages are binary frames (RFC 6455), masked with a mask of zeros: what a mask hides is
 * nothing to a benchmark, but the server has to take it off all the same.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PAYLOAD = 64, WS_SENT = 6 + PAYLOAD, WS_HEARD = 2 + PAYLOAD, MOST = 4096 };

static const char UPGRADE[] =
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

static char sent[WS_SENT], expected[PAYLOAD + 2];
static int sent_bytes, expected_bytes;
static char heard[MOST][PAYLOAD + 2];
static int heard_bytes[MOST];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void make_messages(int ws) {
    char *payload = sent;
    if (ws) {
        sent[0] = expected[0] = (char)0x82;
        sent[1] = (char)(0x80 | PAYLOAD);
        expected[1] = PAYLOAD;
        payload += 6;
    }
    for (int i = 0; i < PAYLOAD; i++) payload[i] = 'a' + i % 26;
    memcpy(expected + (ws ? 2 : 0), payload, PAYLOAD);
    sent_bytes = ws ? WS_SENT : PAYLOAD;
    expected_bytes = ws ? WS_HEARD : PAYLOAD;
}

static void shake_hands(int fd) {
    char answer[4096];
    size_t length = 0;
    if (write(fd, UPGRADE, sizeof UPGRADE - 1) < 0) fail("upgrade");
    do {
        ssize_t count = read(fd, answer + length, sizeof answer - 1 - length);
        if (count <= 0) fail("handshake");
        length += count;
        answer[length] = 0;
    } while (!strstr(answer, "\r\n\r\n"));
    if (strncmp(answer, "HTTP/1.1 101", 12)) fail("no 101");
}

static int connected(int port, int ws) {
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons(port)};
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&where, sizeof where)) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (ws) shake_hands(fd);
    return fd;
}

static void say(int fd) {
    if (write(fd, sent, sent_bytes) != sent_bytes) fail("send");
}

int main(int count, char **words) {
    if (count != 5) return 2;
    int port = atoi(words[1]), ws = !strcmp(words[2], "ws"), connections = atoi(words[3]);
    if (connections > MOST) return 2;
    make_messages(ws);
    int epoll = epoll_create1(0);
    int *fds = malloc(sizeof *fds * connections);
    for (int i = 0; i < connections; i++) {
        struct epoll_event wish = {.events = EPOLLIN, .data.u32 = i};
        fds[i] = connected(port, ws);
        epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &wish);
    }
    puts("connected");
    fflush(stdout);
    if (getchar() == EOF) return 2;
    for (int i = 0; i < connections; i++) say(fds[i]);
    long messages = 0;
    double until = now() + atof(words[4]);
    while (now() < until) {
        struct epoll_event ready[256];
        int n = epoll_wait(epoll, ready, 256, 10000);
        if (n == 0) fail("ten seconds without an answer");
        for (int e = 0; e < n; e++) {
            int i = ready[e].data.u32;
            ssize_t got = read(fds[i], heard[i] + heard_bytes[i], expected_bytes - heard_bytes[i]);
            if (got <= 0) fail("recv");
            heard_bytes[i] += got;
            if (heard_bytes[i] < expected_bytes) continue;
            if (memcmp(heard[i], expected, expected_bytes)) fail("something else came back");
            heard_bytes[i] = 0;
            messages++;
            say(fds[i]);
        }
    }
    printf("%ld\n", messages);
    fflush(stdout);
    while (getchar() != EOF) continue;
    return 0;
}
