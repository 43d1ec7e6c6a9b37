package notify

import (
	"encoding/xml"
	"os"
	"reflect"
	"testing"
)

// described is an interface as introspection data has it.
type described struct {
	Name    string `xml:"name,attr"`
	Methods []struct {
		Name string `xml:"name,attr"`
	} `xml:"method"`
	Signals []struct {
		Name string `xml:"name,attr"`
		Args []struct {
			Type string `xml:"type,attr"`
			Name string `xml:"name,attr"`
		} `xml:"arg"`
	} `xml:"signal"`
	Properties []struct {
		Type   string `xml:"type,attr"`
		Name   string `xml:"name,attr"`
		Access string `xml:"access,attr"`
	} `xml:"property"`
}

// The interface files of the packages say what the objects say of themselves.
func TestPackagedInterfaceFiles(t *testing.T) {
	read := func(text []byte, name string) described {
		t.Helper()
		var node struct {
			Interfaces []described `xml:"interface"`
		}
		if err := xml.Unmarshal(text, &node); err != nil {
			t.Fatal(err)
		}
		for _, i := range node.Interfaces {
			if i.Name == name {
				return i
			}
		}
		t.Fatalf("no interface %s in %s", name, text)
		return described{}
	}
	d := &DBus{}
	tree := d.newTree([]DBusInstance{{Name: "VI_1", Interface: "eth0", VRID: 51}})
	for _, o := range tree.objects {
		file, err := os.ReadFile("../../packaging/dbus/" + o.iface + ".xml")
		if err != nil {
			t.Fatal(err)
		}
		said := read([]byte((&dbusNode{o, nil}).describe()), o.iface)
		if packaged := read(file, o.iface); !reflect.DeepEqual(packaged, said) {
			t.Errorf("%s: the packaged file says %+v, the object %+v", o.iface, packaged, said)
		}
	}
	if len(tree.objects) != 2 {
		t.Errorf("%d objects, want 2", len(tree.objects))
	}
}
