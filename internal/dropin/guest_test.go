package dropin

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// guest is one virtual machine.
type guest struct {
	t    *testing.T
	name string
	conn net.Conn
	in   *bufio.Reader
}

// boot starts a virtual machine and waits for its agent. Both machines share
// the read-only image; what they write goes to memory.
func boot(t *testing.T, name, netdev string, n int) *guest {
	t.Helper()
	socket := filepath.Join(t.TempDir(), name+".sock")
	console, err := os.Create(filepath.Join(cacheDir, name+".console"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "qemu64", "-smp", "2", "-m", "1024",
		"-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio",
		"-kernel", filepath.Join(cacheDir, "vmlinuz"), "-initrd", filepath.Join(cacheDir, "initrd.img"),
		"-append", "root=/dev/vda rw console=ttyS0 quiet panic=-1 mitigations=off net.ifnames=0 systemd.hostname="+name,
		"-drive", "file="+filepath.Join(cacheDir, "root.ext4")+",if=virtio,format=raw,snapshot=on",
		"-netdev", netdev, "-device", fmt.Sprintf("virtio-net-pci,netdev=n0,mac=02:00:00:00:88:%02x", n),
		"-device", "virtio-serial", "-chardev", "socket,id=agent,server=on,wait=off,path="+socket,
		"-device", "virtserialport,chardev=agent,name=agent")
	cmd.Stdout, cmd.Stderr = console, console
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		console.Close()
	})
	g := &guest{t: t, name: name}
	g.await(5*time.Minute, "its socket", func() bool {
		g.conn, err = net.Dial("unix", socket)
		return err == nil
	})
	g.in = bufio.NewReader(g.conn)
	g.await(5*time.Minute, "its agent", func() bool {
		_, _, err := g.try(3*time.Second, "true")
		return err == nil
	})
	return g
}

// try runs a shell command in the guest and returns its output and status.
func (g *guest) try(within time.Duration, command string) (string, int, error) {
	if err := g.conn.SetDeadline(time.Now().Add(within)); err != nil {
		return "", 0, err
	}
	id := strconv.FormatInt(time.Now().UnixNano(), 36)
	if _, err := fmt.Fprintf(g.conn, "%s %s\n", id, command); err != nil {
		return "", 0, err
	}
	var out strings.Builder
	for {
		line, err := g.in.ReadString('\n')
		if err != nil {
			return out.String(), 0, err
		}
		// An answer to a question that was given up may still come.
		if rest, ok := strings.CutPrefix(line, "@@"); ok {
			who, code, _ := strings.Cut(strings.TrimSpace(rest), " ")
			if who != id {
				out.Reset()
				continue
			}
			status, err := strconv.Atoi(code)
			return out.String(), status, err
		}
		out.WriteString(line)
	}
}

// run is try for a command that must succeed.
func (g *guest) run(command string) string {
	g.t.Helper()
	out, status, err := g.try(4*time.Minute, command)
	if err != nil || status != 0 {
		g.t.Fatalf("%s: %s: status %d, %v:\n%s\njournal:\n%s", g.name, command, status, err, out, g.journal())
	}
	return out
}

func (g *guest) journal() string {
	out, _, err := g.try(time.Minute, "journalctl -u keepalived --no-pager -o cat | tail -n 40")
	return out + errText(err)
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func (g *guest) await(within time.Duration, what string, ok func() bool) {
	g.t.Helper()
	deadline := time.Now().Add(within)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for ; ; <-tick.C {
		if ok() {
			return
		}
		if time.Now().After(deadline) {
			g.t.Fatalf("%s: waited %v in vain for %s\n%s", g.name, within, what, g.lastWords())
		}
	}
}

func (g *guest) lastWords() string {
	if g.in == nil {
		return ""
	}
	return g.journal()
}

// master tells whether the guest holds the shared address.
func (g *guest) master() bool {
	out, _, err := g.try(time.Minute, "ip -4 -o addr show dev br0")
	return err == nil && strings.Contains(out, vip+"/")
}

// image makes the root file system of the machines: Debian with systemd, the
// original keepalived, nginx, and our package beside them.
func image(t *testing.T, deb string) {
	t.Helper()
	debian(t)
	guestDir, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	shell(t, cacheDir, `rm -rf root && mkdir root && tar -C root -xf root.tar
cp -L root/vmlinuz vmlinuz 2>/dev/null || cp root/boot/vmlinuz-* vmlinuz
cp -L root/initrd.img initrd.img 2>/dev/null || cp root/boot/initrd.img-* initrd.img
cp "$1" root/root/ours.deb
cp keepalived_*2.2.7*.deb root/root/original.deb
cp "$2"/agent "$2"/network "$2"/client root/root/
chmod 755 root/root/*
cp "$2"/agent.service root/etc/systemd/system/
ln -sf ../agent.service root/etc/systemd/system/multi-user.target.wants/agent.service
ln -sf /dev/null root/etc/systemd/system/nginx.service
ln -sf /dev/null root/etc/systemd/system/systemd-networkd-wait-online.service
echo "/dev/vda / ext4 defaults 0 1" > root/etc/fstab
rm -f root.ext4 && mke2fs -q -t ext4 -d root root.ext4 1400M && rm -rf root`, deb, guestDir)
}
