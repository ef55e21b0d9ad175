package southbound

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eosin-sdn/eosin/config"
)

// All endpoints are bound, or none.
func TestListenAllOrNone(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	path := filepath.Join(t.TempDir(), "of.sock")
	_, err = listen([]config.Endpoint{
		{Kind: config.Unix, Address: path}, {Kind: config.TCP, Address: taken.Addr().String()},
	})
	if err == nil || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("listen: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the other endpoint is still bound")
	}
}
