#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char *argv[]) {
    char line[1024], answer[1024];
    struct sockaddr_in server;
    int sock = socket(AF_INET, SOCK_STREAM, 0);

    memset(&server, 0, sizeof(server));
    server.sin_family = AF_INET;
    server.sin_addr.s_addr = inet_addr(argv[1]);
    server.sin_port = htons(atoi(argv[2]));
    if (connect(sock, (struct sockaddr *)&server, sizeof(server)) < 0) {
        perror("connect");
        return 1;
    }
    while (fgets(line, sizeof(line), stdin) != NULL && strcmp(line, "q\n") != 0) {
        send(sock, line, strlen(line), 0);
        int n = recv(sock, answer, sizeof(answer) - 1, 0);
        answer[n] = '\0';
        printf("%s", answer);
    }
    close(sock);
    return 0;
}
