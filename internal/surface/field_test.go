package surface

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/keepalived-go/keepalived/internal/nettest"
)

// Programs in the field read the dumps: the Prometheus exporters send SIGUSR1
// and SIGUSR2, wait for /tmp/keepalived.data and .stats and take the lines apart,
// or send SIGRTMIN+2 and decode /tmp/keepalived.json; Telegraf and Zabbix
// templates do the same with regular expressions. The readers below are written
// from the formats of the original (samples), in the manner of these programs:
// they know labels, order and indentation, and nothing of our code.

// fieldVRRP is what such a program makes of one instance.
type fieldVRRP struct {
	Name, State, Intf string
	VRID              int
	Priority          int
	VIPs, Excluded    []string
	LastTransition    float64

	Stats map[string]int
}

var vipLine = regexp.MustCompile(`^     (\S+)(?: |$)`)

// readData takes keepalived.data apart line by line.
func readData(text string) (map[string]*fieldVRRP, map[string]string, error) {
	all, scripts := map[string]*fieldVRRP{}, map[string]string{}
	var in *fieldVRRP
	var script, list string
	for _, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(line, "------<"):
			in, script, list = nil, "", ""
			continue
		case strings.HasPrefix(line, " VRRP Instance = "):
			in = &fieldVRRP{Name: strings.TrimPrefix(line, " VRRP Instance = ")}
			all[in.Name], list = in, ""
			continue
		case strings.HasPrefix(line, " VRRP Script = "):
			script = strings.TrimPrefix(line, " VRRP Script = ")
			continue
		}
		if script != "" {
			if v, ok := strings.CutPrefix(line, "   Status = "); ok {
				scripts[script] = v
			}
			continue
		}
		if in == nil {
			continue
		}
		if m := vipLine.FindStringSubmatch(line); m != nil && list != "" {
			switch list {
			case "Virtual IP":
				in.VIPs = append(in.VIPs, m[1])
			case "Virtual IP Excluded":
				in.Excluded = append(in.Excluded, m[1])
			}
			continue
		}
		if err := in.line(line, &list); err != nil {
			return nil, nil, fmt.Errorf("%q: %w", line, err)
		}
	}
	return all, scripts, nil
}

func (in *fieldVRRP) line(line string, list *string) (err error) {
	line = strings.TrimSpace(line)
	if head, ok := strings.CutSuffix(line, ":"); ok {
		*list = strings.TrimSpace(strings.SplitN(head, "(", 2)[0])
		return nil
	}
	*list = ""
	key, value, ok := strings.Cut(line, " = ")
	if !ok {
		return nil
	}
	switch key {
	case "State":
		in.State = value
	case "Interface":
		in.Intf = value
	case "Virtual Router ID":
		in.VRID, err = strconv.Atoi(value)
	case "Effective priority":
		in.Priority, err = strconv.Atoi(value)
	case "Last transition":
		in.LastTransition, err = strconv.ParseFloat(strings.SplitN(value, " ", 2)[0], 64)
	}
	return err
}

// readStats takes keepalived.stats apart: two levels of indentation.
func readStats(text string, into map[string]*fieldVRRP) error {
	var in *fieldVRRP
	section := ""
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			return fmt.Errorf("no colon in %q", line)
		}
		value = strings.TrimSpace(value)
		switch {
		case key == "VRRP Instance":
			if in = into[value]; in == nil {
				return fmt.Errorf("statistics of %q, which the data dump lacks", value)
			}
			in.Stats = map[string]int{}
			continue
		case value == "":
			section = strings.TrimSpace(key)
			continue
		case !strings.HasPrefix(key, "    "):
			section = ""
		}
		n, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		in.Stats[strings.TrimPrefix(section+"/"+strings.TrimSpace(key), "/")] = n
	}
	return nil
}

// statsKeys are what exporters look for in keepalived.stats.
var statsKeys = strings.Split("Advertisements/Received Advertisements/Sent /Became_master /Released_master "+
	"Packet_Errors/Length Packet_Errors/TTL Packet_Errors/Invalid_Type Packet_Errors/Advertisement_Interval "+
	"Packet_Errors/Address_List Authentication_Errors/Invalid_Type Authentication_Errors/Type_Mismatch "+
	"Authentication_Errors/Failure Priority_Zero/Received Priority_Zero/Sent", " ")

// fieldJSON is what exporters that use SIGRTMIN+2 decode. Pointers tell a member
// that is missing from one that is zero.
type fieldJSON struct {
	Data struct {
		IName          *string  `json:"iname"`
		State          *int     `json:"state"`
		WantState      *int     `json:"wantstate"`
		IfpIfname      *string  `json:"ifp_ifname"`
		VRID           *int     `json:"vrid"`
		BasePriority   *int     `json:"base_priority"`
		EffPriority    *int     `json:"effective_priority"`
		LastTransition *float64 `json:"last_transition"`
		AdverInt       *float64 `json:"adver_int"`
		VIPSet         *bool    `json:"vipset"`
		Accept         *int     `json:"accept"`
		NoPreempt      *bool    `json:"nopreempt"`
		GARPDelay      *float64 `json:"garp_delay"`
		VIPs           []string `json:"vips"`
		EVIPs          []string `json:"evips"`
		TrackScript    []string `json:"track_script"`
	} `json:"data"`
	Stats map[string]int `json:"stats"`
}

const fieldConf = `global_defs {
    router_id lb1
    script_user root
    enable_script_security
    VERSION
}
vrrp_script chk {
    script "/usr/bin/true"
    interval 1
    weight 10
    user root
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 150
    virtual_ipaddress {
        192.0.2.100/24
        192.0.2.101 label eth0:1
    }
    virtual_ipaddress_excluded {
        2001:db8::200/64
    }
    track_script {
        chk
    }
}
vrrp_instance VI_2 {
    interface eth0
    virtual_router_id 52
    version 3
    priority 100
    virtual_ipaddress {
        192.0.2.102/24
    }
}
`

// TestReadersOfTheField reads the dumps of the running daemon with programs
// that only know the original's formats.
func TestReadersOfTheField(t *testing.T) {
	nettest.Need(t, "unshare")
	for version := 1; version <= 2; version++ {
		t.Run(fmt.Sprintf("json%d", version), func(t *testing.T) {
			s := newStage(t)
			d := s.start(strings.Replace(fieldConf, "VERSION", fmt.Sprintf("json_version %d", version), 1))
			d.wait("(VI_1) Entering MASTER STATE")
			d.wait("(VI_2) Entering MASTER STATE")
			d.wait("VRRP_Script(chk) succeeded")
			instances, scripts, err := readData(d.dump(sigData, "tmp/keepalived.data"))
			if err != nil {
				t.Fatal(err)
			}
			if err := readStats(d.dump(sigStats, "tmp/keepalived.stats"), instances); err != nil {
				t.Fatal(err)
			}
			text := d.dump(sigJSON, "tmp/keepalived.json")
			var list []fieldJSON
			if version == 1 {
				err = json.Unmarshal([]byte(text), &list)
			} else {
				var v2 struct {
					VRRP []fieldJSON `json:"vrrp"`
				}
				err = json.Unmarshal([]byte(text), &v2)
				list = v2.VRRP
			}
			if err != nil {
				t.Fatalf("JSON: %v\n%s", err, text)
			}
			checkField(t, instances, scripts, list)
			d.end()
		})
	}
}

func checkField(t testing.TB, instances map[string]*fieldVRRP, scripts map[string]string, list []fieldJSON) {
	t.Helper()
	one := instances["VI_1"]
	if len(instances) != 2 || one == nil || len(list) != 2 {
		t.Fatalf("read %d instances from the data, %d from the JSON, want 2", len(instances), len(list))
	}
	if one.State != "MASTER" || one.Intf != "eth0" || one.VRID != 51 || one.Priority != 160 ||
		strings.Join(one.VIPs, " ") != "192.0.2.100/24 192.0.2.101" || strings.Join(one.Excluded, " ") != "2001:db8::200/64" {
		t.Errorf("data: %+v", one)
	}
	if scripts["chk"] != "GOOD" {
		t.Errorf("script states %v, want chk GOOD", scripts)
	}
	for name, in := range instances {
		for _, key := range statsKeys {
			key = strings.TrimPrefix(strings.ReplaceAll(key, "_", " "), "/")
			if _, ok := in.Stats[key]; !ok {
				t.Errorf("%s: no %q in the statistics %v", name, key, in.Stats)
			}
		}
		if in.Stats["Became master"] != 1 || in.Stats["Advertisements/Sent"] == 0 {
			t.Errorf("%s: statistics %v", name, in.Stats)
		}
	}
	for i, j := range list {
		d := &j.Data
		if d.IName == nil || d.State == nil || d.WantState == nil || d.IfpIfname == nil || d.VRID == nil || d.BasePriority == nil ||
			d.EffPriority == nil || d.LastTransition == nil || d.AdverInt == nil || d.VIPSet == nil || d.Accept == nil ||
			d.NoPreempt == nil || d.GARPDelay == nil {
			t.Fatalf("JSON of instance %d lacks a member: %+v", i, d)
		}
		in := instances[*d.IName]
		if in == nil {
			t.Fatalf("JSON has %q, which the data dump lacks", *d.IName)
		}
		if *d.State != 2 || !*d.VIPSet || *d.EffPriority != in.Priority || *d.VRID != in.VRID || *d.AdverInt != 1 ||
			math.Abs(*d.LastTransition-in.LastTransition) > 1e-5 {
			t.Errorf("JSON of %s: %+v, data: %+v", in.Name, d, in)
		}
		if j.Stats["become_master"] != 1 || j.Stats["advert_sent"] < in.Stats["Advertisements/Sent"] {
			t.Errorf("JSON statistics of %s: %v, file: %v", in.Name, j.Stats, in.Stats)
		}
	}
	if d := &list[0].Data; len(d.VIPs) != 2 || !strings.HasPrefix(d.VIPs[0], "192.0.2.100/24 dev eth0") || len(d.EVIPs) != 1 ||
		strings.Join(d.TrackScript, "") != "'/usr/bin/true'" {
		t.Errorf("lists in the JSON: %+v", d)
	}
}
