package dropin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// containerConf has a script that needs what the image has beside the daemon.
const containerConf = `global_defs {
    script_user root
    enable_script_security
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 255
    notify_master "/usr/bin/bash -c 'ip -4 -o addr show dev eth0 > /tmp/master'"
    virtual_ipaddress {
        192.0.2.100/24
    }
}
`

// The recipe is built by buildah and the image run: without a network, with
// Debian's root in the place of the registry's image, in chroots and not under
// an engine's daemon.
func TestContainerImage(t *testing.T) {
	needDist(t)
	needRoot(t, "buildah", "ip")
	debian(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "keepalived.conf"), []byte(containerConf), 0o644); err != nil {
		t.Fatal(err)
	}
	build := `engine() { buildah --root "$1/store" --runroot "$1/run" --storage-driver vfs "${@:2}"; }
mkdir "$1/root"
tar -C "$1/root" --exclude='./usr/lib/modules/*' --exclude='./boot/*' --exclude='./dev/*' --exclude='./usr/share/doc/*' --exclude='./usr/share/locale/*' --exclude='./usr/lib/python3*' -xf "$2/root.tar"
rm -f "$1"/root/usr/sbin/keepalived "$1"/root/usr/bin/genhash "$1"/root/etc/apt/sources.list.d/*
: > "$1/root/etc/apt/sources.list"
c=$(engine "$1" from scratch)
engine "$1" copy -q "$c" "$1/root" /
engine "$1" commit -q --rm "$c" docker.io/library/debian:bookworm-slim
engine "$1" bud -q --isolation chroot --format docker --pull-never -t keepalived-go -f packaging/Containerfile .`
	shell(t, top, `unshare --net --mount bash -euc "$1" bash "$2" "$3"`, build, dir, cacheDir)
	out := shell(t, "testdata", `unshare --net --mount --pid --fork --kill-child --mount-proc ./container "$1" 2>&1`, dir)
	for _, want := range []string{
		"mode of /tmp: 1777\n", "mode of /run: 755\n", "Keepalived v2.4.3 ", "config test: 0\n",
		"entrypoint: [/usr/sbin/keepalived --dont-fork --log-console --no-syslog]\n",
		"health: [CMD keepalivedctl status --check]\n", "OK: 1 master",
		"(VI_1) Entering MASTER STATE", "inet 192.0.2.100/24", "Stopped Keepalived v2.4.3",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
