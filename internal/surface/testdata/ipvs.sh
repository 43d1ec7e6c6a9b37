# A director with SNMP, a client, and two real servers, each in a network
# namespace. Prints "ok NAME" or "FAIL NAME: why".
#
#   c 10.0.0.10 ── d 10.0.0.1, VIP 10.0.0.100; 10.1.0.1 ── r1 10.1.0.11, r2 10.1.0.12
set -u
echo "booted"
for m in ip_vs ip_vs_rr bridge veth; do modprobe $m 2>/dev/null; done
echo 127.0.0.1 localhost > /etc/hosts
mkdir -p /run/keepalived /tmp/snmp
export SNMP_PERSISTENT_DIR=/tmp/snmp MIBS= PATH=$PATH:.
D="ip netns exec d"
R=.1.3.6.1.4.1.9586.100.5
ok() { echo "ok $1"; }
bad() { echo "FAIL $1: $2"; tail -15 /tmp/log | sed 's/^/    /'; $D ipvsadm -Ln --stats | sed 's/^/    /'; tail -5 /tmp/traps | sed 's/^/    /'; }
judge() { if [ "$2" = "$3" ]; then ok "$1"; else bad "$1" "got '$2', want '$3'"; fi; }
until_() { local i=0 n=$(($1 * 10)); shift; while ! "$@" > /dev/null 2>&1; do sleep 0.1; i=$((i+1)); [ $i -gt $n ] && return 1; done; return 0; }

for n in c d r1 r2; do ip netns add $n; ip -n $n link set lo up; done
ip link add br0 type bridge; ip link add br1 type bridge; ip link set br0 up; ip link set br1 up
join() { ip link add $1$2 type veth peer name $2 netns $1; ip link set $1$2 master $3 up; ip -n $1 addr add $4/24 dev $2; ip -n $1 link set $2 up; }
join c eth0 br0 10.0.0.10; join d eth0 br0 10.0.0.1; join d eth1 br1 10.1.0.1
for i in 1 2; do join r$i eth0 br1 10.1.0.1$i; ip -n r$i route add default via 10.1.0.1; done
$D sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
ip -n d addr add 10.0.0.100/32 dev eth0
reach() { $D bash -c "echo > /dev/tcp/$1/80"; }
serve() { eval "S$1=\$(ip netns exec r$1 sh -c 'SURFACE_SERVE=10.1.0.1$1:80 serve > /dev/null 2>&1 & echo \$!')"; until_ 60 reach 10.1.0.1$1 || echo "no server $1"; }
halt() { eval kill -9 \$S$1; }
serve 1; serve 2

echo "hosts are there"
cat > /tmp/snmpd.conf <<'END'
agentAddress udp:127.0.0.1:161
rwcommunity private
master agentx
agentXSocket unix:/tmp/agentx.sock
trap2sink 127.0.0.1:1162 public
END
echo disableAuthorization yes > /tmp/snmptrapd.conf
$D snmptrapd -f -Lo -On -C -c /tmp/snmptrapd.conf udp:127.0.0.1:1162 > /tmp/traps 2>&1 &
until_ 60 grep -q NET-SNMP /tmp/traps
$D snmpd -f -Lo -C -c /tmp/snmpd.conf > /tmp/snmpd.log 2>&1 &
until_ 60 grep -q NET-SNMP /tmp/snmpd.log

echo "snmpd runs"
cat > /etc/keepalived.conf <<'END'
global_defs {
  router_id lb1
  enable_snmp_checker
  enable_traps
  snmp_socket unix:/tmp/agentx.sock
  snmp_vs_stats_update_interval 1
}
virtual_server 10.0.0.100 80 {
  delay_loop 1
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  real_server 10.1.0.11 80 { 
    weight 1
    TCP_CHECK { 
      connect_timeout 2
      retry 0
    }
  }
  real_server 10.1.0.12 80 {
    weight 1
    TCP_CHECK {
      connect_timeout 2
      retry 0
    }
  }
}
END
: > /tmp/log
$D keepalived -n -l -G -D -f /etc/keepalived.conf >> /tmp/log 2>&1 & KPID=$!
until_ 60 grep -q 'AgentX subagent connected' /tmp/log || bad connect "no subagent"
snmp() { p=$1; shift; $D $p -v2c -c private -On -t 20 -m '' 127.0.0.1 "$@" 2>&1; }
value() { snmp snmpget $R$1 | sed 's/.*: //'; }
is() { [ "$(value $1)" = "$2" ]; }
both() { is .3.3.1.21.1 2; }
until_ 60 both && ok servers-up || bad servers-up "$(snmp snmpwalk $R.3.3)"

for i in 1 2 3 4 5 6; do ip netns exec c curl -s -m 5 http://10.0.0.100/ > /dev/null; done
# Counters may be a second old.
until_ 20 is .3.3.1.27.1 6
judge service-conns "$(value .3.3.1.27.1)" 6
judge service-conns64 "$(value .3.3.1.38.1)" 6
judge server-conns "$(value .3.4.1.14.1.1) $(value .3.4.1.14.1.2)" "3 3"
[ "$(value .3.4.1.20.1.1)" -gt 100 ] && [ "$(value .3.3.1.30.1)" -gt 200 ] && ok bytes || bad bytes "$(value .3.4.1.20.1.1)"
# The kernel's table and SNMP agree in every count.
kernel=$($D ipvsadm -Ln --stats | awk '/TCP/ {print $3, $4, $5, $6, $7}')
ours="$(value .3.3.1.27.1) $(value .3.3.1.28.1) $(value .3.3.1.29.1) $(value .3.3.1.30.1) $(value .3.3.1.31.1)"
judge as-ipvsadm "$ours" "$kernel"
idle=$($D keepalivedctl status | grep -c '0 active, 3 idle')
judge status-connections "$idle" 2

snmp snmpset $R.3.4.1.7.1.2 i 7 > /dev/null
weight7() { $D ipvsadm -Ln | grep -q -- '-> 10.1.0.12:80  *Masq  *7 '; }
until_ 20 weight7 && ok set-weight || bad set-weight "$(snmp snmpget $R.3.4.1.7.1.2)"
snmp snmpset $R.3.4.1.7.1.2 i -1 | grep -q -i wrong && ok refuse-weight || bad refuse-weight "taken"

trap() { grep -q -- "$1" /tmp/traps; }
halt 2
until_ 60 trap "$R.3.5.0.1.*$R.3.4.1.4 = Hex-STRING: 0A 01 00 0C.*$R.3.4.1.6 = INTEGER: 2.*$R.3.3.1.21 = Gauge32: 1.*$R.3.3.1.20 = Gauge32: 2.*STRING: \"lb1\"" \
  && ok server-down || bad server-down "no trap"
halt 1
until_ 60 trap "$R.3.5.0.2.*$R.3.3.1.23 = INTEGER: 2" && ok quorum-lost || bad quorum-lost "no trap"
serve 1
until_ 60 trap "$R.3.5.0.2.*$R.3.3.1.23 = INTEGER: 1" && ok quorum-gained || bad quorum-gained "no trap"
kill $KPID; wait $KPID
until_ 30 trap "$R.3.5.0.2.*$R.3.3.1.23 = INTEGER: 3" && ok stopped || bad stopped "no trap"
