/* Load for scripts/measure_watch.py: RATE requests a second for SECONDS, each on a connection of its
 * own ("Connection: close"). Prints how many were answered to the end, and how many were not.
 *
 *     requests PORT RATE SECONDS
 *
 * Requests begin by the clock, not when others end: a server that falls behind has more of them open.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1000 };

static const char REQUEST[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
static long answered, failed, begun;
static int waiting;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void begin(int poll, const struct sockaddr_in *there) {
    int sock = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    begun++;
    if (sock < 0 || (connect(sock, (const void *)there, sizeof *there) && errno != EINPROGRESS)) {
        failed++;
        if (sock >= 0) close(sock);
        return;
    }
    struct epoll_event event = {.events = EPOLLOUT, .data.fd = sock};
    epoll_ctl(poll, EPOLL_CTL_ADD, sock, &event);
    waiting++;
}

static void end(int sock, int well) {
    close(sock);
    waiting--;
    if (well)
        answered++;
    else
        failed++;
}

static void advance(int poll, struct epoll_event *event) {
    static char answer[65536];
    int sock = event->data.fd;
    if (event->events & EPOLLOUT) {
        struct epoll_event next = {.events = EPOLLIN, .data.fd = sock};
        if (send(sock, REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL) != sizeof REQUEST - 1)
            end(sock, 0);
        else
            epoll_ctl(poll, EPOLL_CTL_MOD, sock, &next);
        return;
    }
    ssize_t size = recv(sock, answer, sizeof answer, 0);
    if (size == 0 || (size < 0 && errno != EAGAIN)) end(sock, size == 0);
}

int main(int count, char **words) {
    if (count != 4) return 2;
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(atoi(words[1]))};
    inet_pton(AF_INET, "127.0.0.1", &there.sin_addr);
    double rate = atof(words[2]), seconds = atof(words[3]), began = now(), time;
    struct epoll_event events[256];
    int poll = epoll_create1(0);
    while ((time = now() - began) < seconds + 5 && (time < seconds || waiting)) {
        while (time < seconds && begun < time * rate && waiting < MOST) begin(poll, &there);
        int ready = epoll_wait(poll, events, 256, 1);
        for (int i = 0; i < ready; i++) advance(poll, &events[i]);
    }
    printf("%ld %ld\n", answered, failed + waiting);
    return 0;
}
