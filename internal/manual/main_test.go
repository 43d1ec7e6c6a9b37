package main

import (
	"strings"
	"testing"

	"github.com/keepalived-go/keepalived/configparse"
)

func TestEveryKeywordIsInThePage(t *testing.T) {
	var b strings.Builder
	page(&b)
	for _, k := range configparse.Keywords() {
		if !strings.Contains(b.String(), ".B "+quote(k.Keyword)) {
			t.Errorf("keyword %s of %s is missing", k.Keyword, k.Path)
		}
	}
}
