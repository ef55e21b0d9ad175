package config

import (
	"fmt"
	"reflect"
	"testing"

	"gopkg.in/yaml.v3"
)

// TestColonsInLists compares items with a second YAML library, which reads them as the specification says.
func TestColonsInLists(t *testing.T) {
	for _, list := range []string{
		"[tcp:0.0.0.0:6653]",
		"[tcp:0.0.0.0:6653, unix:/run/x , 'ssl:[::1]:6654']",
		"[fd00::1,fd00::2]",
		"[host1:vif1, 52:54:00:00:00:01]",
		"[\n  a:b,\n  1:2 ]",
		"[é:w, true:1, null:2, 1.5:3]",
	} {
		for _, context := range []string{"{openflow: {listen: %s}}", "openflow:\n  listen: %s\n", "openflow: {listen: %s}\n"} {
			text := fmt.Sprintf(context, list)
			var want struct {
				Openflow struct{ Listen []string }
			}
			if err := yaml.Unmarshal([]byte(text), &want); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			r := &reader{file: "f"}
			root, ok := r.parse([]byte(text))
			if !ok {
				t.Errorf("%q: %v", text, r.errors)
				continue
			}
			var got []string
			items, _ := r.list(r.object(r.object(root, "openflow")["openflow"], "listen")["listen"])
			for _, item := range items {
				s, _ := r.text(item)
				got = append(got, s)
			}
			if !reflect.DeepEqual(got, want.Openflow.Listen) {
				t.Errorf("%q: got %q, want %q; %v", text, got, want.Openflow.Listen, r.errors)
			}
		}
	}
}
