package main

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/spf13/pflag"
)

// usage wants the name of the program.
const usage = `Usage: %s COMMAND [OPTIONS]
Commands:
   -s server-address -p port -u url
   -S -s server-address -p port -u url
   -h

Options:
Either long or short options are allowed.
   --use-ssl         -S       Use SSL connection to remote server.
   --use-sni         -I       Use SNI during SSL handshake (uses virtualhost setting; see -V).
   --server          -s       Use the specified remote server address.
   --port            -p       Use the specified remote server port.
   --url             -u       Use the specified remote server url.
   --use-virtualhost -V       Use the specified virtualhost in GET query.
   --verbose         -v       Use verbose mode output.
   --help            -h       Display this short inlined help screen.
   --fwmark          -m       Use the specified FW mark.
   --protocol        -P       Use the specified HTTP protocol - '1.0', 1.0c', '1.1'.
                                1.0c means 1.0 with 'Connection: close'
   --timeout         -t       Timeout in seconds
`

// forever is the timeout without -t: as many microseconds as fit 32 bits.
const forever = math.MaxUint32 * time.Microsecond

type options struct {
	to       netip.AddrPort
	path     string
	host     string
	tls      bool
	useSNI   bool
	mark     uint32
	protocol checker.HTTPProtocol
	timeout  time.Duration
	verbose  bool
	help     bool // also when something required is missing
}

func (o *options) sni() string {
	if !o.useSNI {
		return ""
	}
	return o.host
}

// parse reads the command line. complaint is what is wrong with it.
func parse(args []string) (o options, complaint string) {
	o.timeout = forever
	var server, port, mark, protocol, timeout string
	f := pflag.NewFlagSet("genhash", pflag.ContinueOnError)
	f.Usage = func() {}
	f.SetNormalizeFunc(abbreviated)
	f.BoolVarP(&o.tls, "use-ssl", "S", false, "")
	f.BoolVarP(&o.useSNI, "use-sni", "I", false, "")
	f.StringVarP(&server, "server", "s", "", "")
	f.StringVarP(&port, "port", "p", "", "")
	f.StringVarP(&o.path, "url", "u", "", "")
	f.StringVarP(&o.host, "use-virtualhost", "V", "", "")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "")
	f.BoolVarP(&o.help, "help", "h", false, "")
	f.StringVarP(&mark, "fwmark", "m", "", "")
	f.StringVarP(&protocol, "protocol", "P", "", "")
	f.StringVarP(&timeout, "timeout", "t", "", "")
	if err := f.Parse(args); err != nil {
		return o, explain(err)
	}
	if o.help {
		return o, ""
	}
	for _, c := range []string{
		o.setServer(server, port), o.setMark(mark), o.setProtocol(protocol), o.setTimeout(timeout),
	} {
		if c != "" {
			return o, c
		}
	}
	if f.NArg() > 0 {
		return o, "Unexpected argument(s): " + strings.Join(f.Args(), " ")
	}
	o.help = !o.to.IsValid() || o.to.Port() == 0 || o.path == ""
	return o, ""
}

// abbreviated completes the beginning of a long option if it can mean only one,
// as getopt_long does.
func abbreviated(f *pflag.FlagSet, name string) pflag.NormalizedName {
	full := ""
	f.VisitAll(func(o *pflag.Flag) {
		switch {
		case o.Name == name || full == name:
			full = name
		case strings.HasPrefix(o.Name, name) && full != "":
			full = ambiguous
		case strings.HasPrefix(o.Name, name):
			full = o.Name
		}
	})
	if full == "" || full == ambiguous {
		full = name
	}
	return pflag.NormalizedName(full)
}

// ambiguous is no name of an option.
const ambiguous = "?"

// explain puts pflag's errors into the original's words.
func explain(err error) string {
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	switch {
	case errors.As(err, &unknown):
		if s := unknown.GetSpecifiedShortnames(); s != "" {
			return "Unknown option -" + s[:1]
		}
		return "Unknown option --" + unknown.GetSpecifiedName()
	case errors.As(err, &missing):
		if s := missing.GetSpecifiedShortnames(); s != "" {
			return "Missing parameter for option -" + s[:1]
		}
		return "Missing parameter for option --" + missing.GetSpecifiedName()
	}
	return err.Error()
}

func (o *options) setServer(server, port string) string {
	if server == "" && port == "" {
		return ""
	}
	addr := netip.IPv4Unspecified()
	if server != "" {
		var err error
		if addr, err = netip.ParseAddr(server); err != nil {
			return fmt.Sprintf("server should be an IP, not %s", server)
		}
	}
	n := uint64(0)
	if port != "" {
		var err error
		if n, err = strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Sprintf("invalid port number '%s'", port)
		}
	}
	if server != "" {
		o.to = netip.AddrPortFrom(addr, uint16(n))
	}
	return ""
}

func (o *options) setMark(s string) string {
	if s == "" {
		return ""
	}
	n, err := strconv.ParseUint(s, 0, 32)
	if err != nil {
		return fmt.Sprintf("invalid fwmark '%s'", s)
	}
	o.mark = uint32(n)
	return ""
}

func (o *options) setProtocol(s string) string {
	switch s {
	case "", "1.0":
	case "1.0c", "1.0C":
		o.protocol = checker.HTTP10Close
	case "1.1":
		o.protocol = checker.HTTP11
	default:
		return fmt.Sprintf("invalid HTTP protocol version '%s'", s)
	}
	return ""
}

func (o *options) setTimeout(s string) string {
	if s == "" {
		return ""
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || n < 0 || n > forever.Seconds() {
		return fmt.Sprintf("invalid timeout '%s'", s)
	}
	o.timeout = time.Duration(n * float64(time.Second))
	return ""
}
