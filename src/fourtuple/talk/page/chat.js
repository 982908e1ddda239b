"use strict";

const lines = document.getElementById("lines");
const state = document.getElementById("state");
const input = document.getElementById("line");
const form = document.getElementById("form");

const scheme = location.protocol === "https:" ? "wss:" : "ws:";
const socket = new WebSocket(`${scheme}//${location.host}/chat`);

function show(text) {
  for (const line of text.trimEnd().split("\n")) {
    const item = document.createElement("li");
    item.textContent = line;
    item.classList.toggle("news", line.startsWith("* "));
    lines.append(item);
  }
  lines.scrollTop = lines.scrollHeight;
}

socket.addEventListener("open", () => { state.textContent = state.dataset.connected.replace("{host}", location.host); });
socket.addEventListener("close", () => {
  state.textContent = state.dataset.ended;
  input.disabled = true;
});
socket.addEventListener("message", (event) => show(event.data));

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (input.value && socket.readyState === WebSocket.OPEN) {
    socket.send(input.value);
    input.value = "";
  }
});
