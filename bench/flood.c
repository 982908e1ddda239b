/* As many small datagrams as one core sends, to a port of this machine that nobody reads from.
 *
 *     flood PORT SECONDS
 *
 * Prints how many were sent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

enum { AT_ONCE = 64 };

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec + at.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int sock = socket(AF_INET, SOCK_DGRAM, 0);
    if (connect(sock, (void *)&to, sizeof to)) return 1;
    struct iovec piece = {"x", 1};
    struct mmsghdr messages[AT_ONCE] = {0};
    for (int i = 0; i < AT_ONCE; i++)
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &piece, .msg_iovlen = 1};
    double until = now() + atof(argv[2]);
    long sent = 0;
    while (now() < until) {
        int done = sendmmsg(sock, messages, AT_ONCE, 0);
        if (done > 0) sent += done;
    }
    printf("%ld\n", sent);
    return 0;
}
