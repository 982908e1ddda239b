#!/bin/sh
# Install the programs that some tests run beside fourtuple: as root with apt, else say which.
set -eu

missing=
while read -r program package; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || missing="$missing $package"
done <<END
tshark tshark
tcpdump tcpdump
nmap nmap
masscan masscan
nft nftables
tcptrace tcptrace
nginx nginx-light
wrk wrk
iperf3 iperf3
ethtool ethtool
ip iproute2
curl curl
ncat ncat
socat socat
chromium chromium
cc gcc libc6-dev
javac default-jdk-headless
ps procps
unshare util-linux
END

if [ -z "$missing" ]; then exit; fi
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "Installing$missing"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "Tests that need them are skipped until you install: sudo apt install$missing"
fi
