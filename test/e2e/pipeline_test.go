package e2e

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/lab"
)

var update = flag.Bool("update", false, "rewrite what documents show of real switches")

const pipelinePage = "../../docs/pipeline.md"

// TestPipelineDocument holds docs/pipeline.md to what a switch of the demo lab really has.
func TestPipelineDocument(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	demo, err := lab.BuildDemo(l)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Lab: l, t: t, ctl: l.StartController(program, demo.Config)}
	s.eventually(patience, "link between the hosts", func() bool {
		links := get[api.Link](s, "links")
		return len(links) == 1 && links[0].Up
	})
	if err := demo.Announce(); err != nil {
		t.Fatal(err)
	}
	br := l.Host("host1").Bridge("br0")
	var want string
	s.eventually(patience, "settled flows", func() bool {
		flows := br.DumpFlows()
		settled := want == pageOf(t, br) && len(grep(flows, ofTable("forward"), "dl_dst")) == len(demo.Guests) &&
			len(grep(flows, ofTable("trap"), "ct(")) == 12
		want = pageOf(t, br)
		return settled
	})
	got, err := os.ReadFile(pipelinePage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) == want {
		return
	}
	if *update {
		if err := os.WriteFile(pipelinePage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("docs/pipeline.md does not show what the switch has; go test ./test/e2e -run %s -update mends it. "+
		"It should be:\n%s", t.Name(), want)
}

var (
	blocks  = regexp.MustCompile("(?s)<!-- ([a-z0-9 ]+) -->\n(?:\n```text\n(.*?)```\n)?")
	cookies = regexp.MustCompile(`cookie=0x[0-9a-f]+, `)
)

// pageOf returns the page with its blocks filled from the bridge.
func pageOf(t *testing.T, br *lab.Bridge) string {
	t.Helper()
	page, err := os.ReadFile(pipelinePage)
	if err != nil {
		t.Fatal(err)
	}
	content := map[string][]string{"groups": br.DumpGroups(), "meters": br.DumpMeters()}
	for _, f := range br.Flows() {
		if strings.Contains(f.Text, "arp_op=") {
			continue // a lost probe is being diagnosed: that trap comes and goes
		}
		name := fmt.Sprintf("table %d", f.Table)
		content[name] = append(content[name], cookies.ReplaceAllString(f.Text, ""))
	}
	return blocks.ReplaceAllStringFunc(string(page), func(block string) string {
		name := blocks.FindStringSubmatch(block)[1]
		return fmt.Sprintf("<!-- %s -->\n\n```text\n%s\n```\n", name, strings.Join(content[name], "\n"))
	})
}

// ofTable is what a flow in a table has in a dump.
func ofTable(name string) string { return fmt.Sprintf("table=%d,", pipeline.Number(name)) }

// grep returns the lines that hold all of the words.
func grep(lines []string, words ...string) (found []string) {
	for _, line := range lines {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			found = append(found, line)
		}
	}
	return found
}
