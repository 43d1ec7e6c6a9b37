# Real traffic through IPVS: a client, a director that runs the daemon, and two
# real servers, each in a network namespace. Prints "ok NAME" or "FAIL NAME: why".
#
#   c 10.0.0.10 ── br0 ── d 10.0.0.1, VIP 10.0.0.100 ── br1 ── r1 10.1.0.11, r2 10.1.0.12
#                   └──── r1 10.0.0.11, r2 10.0.0.12 (DR)
set -u
trap '' PIPE # a peer that has gone is a verdict, not the end
shopt -s lastpipe # "vs … | start" runs start in this shell
for m in ip_vs_rr ip_vs_wrr ip_vs_wlc bridge veth; do modprobe $m 2>/dev/null; done
VIP=10.0.0.100
KPID=
echo 127.0.0.1 localhost > /etc/hosts
ok() { echo "ok $1"; }
bad() { echo "FAIL $1: $2"; sed 's/^/    /' /tmp/log | tail -25; ip netns exec d ipvsadm -Ln | sed 's/^/    /'; }
# until SECONDS COMMAND: waits for a condition
until_() { local i=0 n=$(($1 * 10)); shift; while ! "$@" > /dev/null 2>&1; do sleep 0.1; i=$((i+1)); [ $i -gt $n ] && return 1; done; return 0; }
say() { echo "@ $*" >> /tmp/log; }

ip link add br0 type bridge; ip link add br1 type bridge; ip link set br0 up; ip link set br1 up
join() { # NS DEV BRIDGE ADDR
  ip link add $1$2 type veth peer name $2 netns $1; ip link set $1$2 master $3 up
  ip -n $1 addr add $4/24 dev $2; ip -n $1 link set $2 up; }
for n in c d r1 r2; do ip netns add $n; ip -n $n link set lo up; done
join c eth0 br0 10.0.0.10; join d eth0 br0 10.0.0.1; join d eth1 br1 10.1.0.1
for i in 1 2; do
  join r$i eth0 br0 10.0.0.1$i; join r$i eth1 br1 10.1.0.1$i
  # Answers to NAT go back through the director, also those for the client's net.
  ip -n r$i rule add from 10.1.0.0/24 lookup 9; ip -n r$i route add default via 10.1.0.1 table 9
  # DR: the real server has the address too and keeps quiet about it.
  ip netns exec r$i sh -c 'for f in all eth0; do echo 1 > /proc/sys/net/ipv4/conf/$f/arp_ignore; echo 2 > /proc/sys/net/ipv4/conf/$f/arp_announce; done'
  ip -n r$i addr add $VIP/32 dev lo
  printf 'HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nr%s\n' $i > /tmp/r$i
done
ip netns exec d sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
ip -n d addr add $VIP/32 dev eth0

serve() { eval "S$1=\$(ip netns exec r$1 sh -c 'rsrv http 0.0.0.0:80 /tmp/r$1 /dev/null > /dev/null 2>&1 & echo \$!')"; until_ 10 ip netns exec r$1 bash -c ': < /dev/tcp/127.0.0.1/80'; }
halt() { eval kill \$S$1; }
for i in 1 2; do
  serve $i
  ip netns exec r$i rsrv tcp 0.0.0.0:8081 &
  ip netns exec r$i rsrv https 0.0.0.0:443 /tmp/r$i /dev/null /lab/cert.pem /lab/key.pem &
done
ip netns exec d rsrv http 10.0.0.1:8888 /lab/sorry /dev/null &

# start, reload: the daemon with the configuration on standard input
conf() { cat > /etc/keepalived.conf.new; mv /etc/keepalived.conf.new /etc/keepalived.conf; }
start() { conf; : > /tmp/log; ip netns exec d keepalived -n -l -G -D -f /etc/keepalived.conf >> /tmp/log 2>&1 & KPID=$!; until_ 20 grep -q 'Startup complete' /tmp/log; }
reload() { conf; local n=$(grep -c 'Reload complete' /tmp/log); kill -HUP $KPID; until_ 20 sh -c "[ \$(grep -c 'Reload complete' /tmp/log) -gt $n ]"; }
stop() { kill $KPID; wait $KPID 2>/dev/null; }
get() { ip netns exec c curl -s -m 3 http://$VIP${1:-}/; }
gets() { local o= i; for i in $(seq $1); do o="$o$(get ${2:-}) "; done; echo $o; }
entries() { ip netns exec d ipvsadm -Ln | grep -c -- '->.*:.*:'; }
have() { [ "$(ip netns exec d ipvsadm -Ln | grep -c -- "-> 10")" = $1 ]; }
weight() { ip netns exec d ipvsadm -Ln | grep -q -- "-> $1:80  *[A-Za-z]*  *$2 "; }
HTTP='HTTP_GET {
   url {
    path /
    status_code 200
   }
   connect_timeout 2
   retry 1
   delay_before_retry 1
  }'
vs() { # KIND NET [EXTRA] [CHECK]
  echo "virtual_server $VIP ${PORT:-80} {
 delay_loop 1
 lb_algo ${ALGO:-rr}
 lb_kind $1
 protocol TCP
 ${3:-}"
  local i; for i in 1 2; do echo " real_server 10.$2.0.1$i ${PORT:-80} {
  weight 1
  ${4:-$HTTP}
 }"; done; echo "}"; }
alternates() { case "$1" in "r1 r2 r1 r2 r1 r2"|"r2 r1 r2 r1 r2 r1") return 0;; esac; return 1; }

for kind in NAT:1 DR:0; do
  net=${kind#*:}; kind=${kind%:*}
  vs $kind $net | start; until_ 20 sh -c "[ \$(grep -c 'succeed on service' /tmp/log) -ge 2 ]"
  g=$(gets 6); alternates "$g" && ok "$kind alternates" || bad "$kind alternates" "$g"
  halt 1; until_ 20 have 1 && ok "$kind dead server leaves" || bad "$kind dead server leaves" "still there"
  g=$(gets 4); [ "$g" = "r2 r2 r2 r2" ] && ok "$kind other serves" || bad "$kind other serves" "$g"
  serve 1; until_ 20 have 2 && ok "$kind server returns" || bad "$kind server returns" "not there"
  g=$(gets 6); alternates "$g" && ok "$kind alternates again" || bad "$kind alternates again" "$g"
  stop; have 0 && ok "$kind table empty after stop" || bad "$kind table empty after stop" "$(entries)"
done

vs NAT 1 "persistence_timeout 50" | start; until_ 20 sh -c "[ \$(grep -c 'succeed on service' /tmp/log) -ge 2 ]"
g=$(gets 6); case "$g" in "r1 r1 r1 r1 r1 r1"|"r2 r2 r2 r2 r2 r2") ok "persistence sticks";; *) bad "persistence sticks" "$g";; esac
stop

vs NAT 1 "" "TCP_CHECK {
 connect_port 8081
 connect_timeout 2
 }" | start; until_ 20 sh -c "[ \$(grep -c 'TCP connection to .* success' /tmp/log) -ge 2 ]" && ok "check on another port" || bad "check on another port" "no success"
g=$(gets 6); alternates "$g" && ok "another port alternates" || bad "another port alternates" "$g"
stop

PORT=443 vs NAT 1 "" "SSL_GET {
 url {
 path /
 status_code 200
 }
 connect_timeout 3
 }" | start; until_ 30 sh -c "[ \$(grep -c 'succeed on service' /tmp/log) -ge 2 ]" && ok "self-signed server passes" || bad "self-signed server passes" "no success"
g="$(ip netns exec c curl -sk -m 5 https://$VIP/) $(ip netns exec c curl -sk -m 5 https://$VIP/)"
case "$g" in "r1 r2"|"r2 r1") ok "TLS alternates";; *) bad "TLS alternates" "$g";; esac
stop

vs NAT 1 "sorry_server 10.0.0.1 8888" | start; until_ 20 sh -c "[ \$(grep -c 'succeed on service' /tmp/log) -ge 2 ]"
halt 1; halt 2; until_ 20 grep -q 'Adding sorry server' /tmp/log; g=$(get)
[ "$g" = sorry ] && ok "sorry server" || bad "sorry server" "$g"
serve 1; until_ 20 grep -q 'Removing sorry server' /tmp/log; g=$(get)
[ "$g" = r1 ] && ok "sorry server leaves" || bad "sorry server leaves" "$g"
serve 2; until_ 20 have 2
# What others change is undone within five seconds. Entries that come back
# stand at the end of the kernel's list.
saved() { ip netns exec d ipvsadm -Sn | sort; }
for deed in "-C" "-d -t $VIP:80 -r 10.1.0.11:80" "-e -t $VIP:80 -r 10.1.0.11:80 -m -w 9" "-E -t $VIP:80 -s wlc" "-a -t $VIP:80 -r 10.1.0.77:80 -m"; do
  before=$(saved); ip netns exec d ipvsadm $deed; t=$(cut -d. -f1 /proc/uptime)
  same() { [ "$(saved)" = "$before" ]; }
  until_ 10 same; t=$(($(cut -d. -f1 /proc/uptime) - t))
  same && [ $t -le 5 ] && ok "undone: ipvsadm $deed ($t s)" || bad "undone: ipvsadm $deed" "after $t s: $(saved)"
done
stop
