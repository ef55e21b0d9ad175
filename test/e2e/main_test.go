// Package e2e runs the built program against real Open vSwitch in a lab of network namespaces, and checks what guests
// see.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// program is what is tested: $EOSIN_BIN, or one built from the sources as they are now.
var program string

// atOnce is how many tests run side by side, unless -parallel says otherwise: they mostly wait. With more, daemons
// starve on two cores, and a starved one looks like a broken one.
const atOnce = "4"

func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", atOnce); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	remove, err := findBinary()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	remove()
	os.Exit(code)
}

// findBinary sets program and returns what removes it again.
func findBinary() (remove func(), err error) {
	if path := os.Getenv("EOSIN_BIN"); path != "" {
		if program, err = filepath.Abs(path); err != nil {
			return nil, err
		}
		_, err = os.Stat(program)
		return func() {}, err
	}
	dir, err := os.MkdirTemp("", "eosin-e2e-")
	if err != nil {
		return nil, err
	}
	program = filepath.Join(dir, "eosin")
	out, err := exec.Command("go", "build", "-o", program, "../../cmd/eosin").CombinedOutput()
	if err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("build eosin: %w\n%s", err, out)
	}
	return func() { os.RemoveAll(dir) }, nil
}
