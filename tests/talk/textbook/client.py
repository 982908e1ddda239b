import socket
import sys

client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect((sys.argv[1], int(sys.argv[2])))
while True:
    message = input()
    if message == "q":
        break
    client.send(message.encode())
    print(client.recv(1024).decode())
client.close()
