package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/keepalived-go/keepalived/internal/watchdog"
	"golang.org/x/sys/unix"
)

// features are named as the original names them, for programs that look for
// one in the output of -v.
const features = "NFTABLES LVS REGEX VRRP VRRP_AUTH VRRP_VMAC JSON BFD SNMP_V3_FOR_V2 SNMP_VRRP SNMP_CHECKER " +
	"SNMP_RFCV2 SNMP_RFCV3 DBUS FILE_LOGGING LOG_FILE_APPEND INIT=systemd SYSTEMD_NOTIFY"

// version writes what -v shows, in the original's shape.
func version(w io.Writer) {
	fmt.Fprintf(w, "Keepalived %s\n\n", watchdog.Version)
	fmt.Fprint(w, "A drop-in replacement for keepalived by the keepalived-go developers, Apache-2.0.\n\n")
	fmt.Fprintf(w, "Built with %s for %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		fmt.Fprintf(w, "Running on %s %s %s\n", unix.ByteSliceToString(u.Sysname[:]),
			unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Version[:]))
	}
	if name := distribution(); name != "" {
		fmt.Fprintf(w, "Distro: %s\n", name)
	}
	fmt.Fprintf(w, "\nconfigure options: none\n\nConfig options:  %s\n\nSystem options:  none\n", features)
}

// distribution is PRETTY_NAME of os-release.
func distribution() string {
	f, err := os.Open("/etc/os-release")
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "PRETTY_NAME="); ok {
			return strings.Trim(name, `"`)
		}
	}
	return ""
}
