package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A Controller is a running "eosin serve".
type Controller struct {
	*Process
	Binary string
	URL    string // of its HTTP API

	lab  *Lab
	path string // of its config file; empty: none
	args []string
}

// StartController runs "eosin serve" in the root namespace, listening at [Lab.ControllerTarget], [Lab.ControllerSocket]
// and [Lab.HTTPListen], whatever its config says, and returns when it serves. An empty config means none; args are
// further flags.
func (l *Lab) StartController(binary, config string, args ...string) *Controller {
	return l.startController(binary, config, l.HTTPListen(),
		append([]string{"--openflow-listen", l.ControllerTarget(), "--openflow-listen", "unix:" + l.ControllerSocket()},
			args...))
}

// RivalTarget is the target for set-controller of a controller that [Lab.StartRival] runs.
func (l *Lab) RivalTarget() string { return "tcp:" + l.ControllerIP() + ":6663" }

// StartRival runs a second controller beside the first, listening at [Lab.RivalTarget] only.
func (l *Lab) StartRival(binary, config string, args ...string) *Controller {
	return l.startController(binary, config, loopbackIP(l.state.Number, 2)+":9653",
		append([]string{"--openflow-listen", l.RivalTarget()}, args...))
}

func (l *Lab) startController(binary, config, http string, args []string) *Controller {
	c := &Controller{lab: l, Binary: binary, URL: "http://" + http, args: []string{"serve", "--http-listen", http}}
	if config != "" {
		c.path = l.File(fmt.Sprintf("eosin%d.yaml", len(l.controllers)), config)
		c.args = append(c.args, "-c", c.path)
	}
	c.args = append(c.args, args...)
	l.controllers = append(l.controllers, c)
	c.Start()
	return c
}

// Start runs the controller again after Stop or Kill, with the same config file and flags.
func (c *Controller) Start() {
	since := time.Now()
	c.Process = c.lab.root.Spawn("eosin", append([]string{c.Binary}, c.args...)...)
	client := http.Client{Timeout: time.Second}
	serves := func() bool {
		resp, err := client.Get(c.URL + "/healthz")
		if err != nil {
			return !c.Running()
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}
	if !c.lab.Eventually(10*time.Second, serves) || !c.Running() {
		c.lab.fatal("eosin does not serve:\n%s", tail(c.Log(), 40))
	}
	c.lab.progress(since, "eosin: serves %s", c.URL)
}

// Configure replaces the config file; the controller reads it when it starts.
func (c *Controller) Configure(config string) {
	if c.path == "" {
		c.lab.fatal("a config for a controller that was started without one")
	}
	c.lab.check(os.WriteFile(c.path, []byte(config), 0o644), "write config")
}

// Reload is Configure and SIGHUP. It does not wait: a metric says when and how the reload ended.
func (c *Controller) Reload(config string) {
	c.Configure(config)
	c.Signal(syscall.SIGHUP)
}

// ConfigPath is the config file.
func (c *Controller) ConfigPath() string { return c.path }

// Get reads a path of the API ("/api/v1/hosts", "/metrics"). A status other than 200 is an error that quotes the body.
func (c *Controller) Get(path string) ([]byte, error) {
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get(c.URL + path)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", path, resp.Status, body)
	}
	return body, err
}

// GetJSON reads a path of the API into v.
func (c *Controller) GetJSON(path string, v any) error {
	body, err := c.Get(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}

// WaitSwitches waits until n switches are connected.
func (c *Controller) WaitSwitches(n int) {
	connected := func() int {
		var switches []struct {
			Connected bool `json:"connected"`
		}
		count := 0
		if c.GetJSON("/api/v1/switches", &switches) == nil {
			for _, s := range switches {
				if s.Connected {
					count++
				}
			}
		}
		return count
	}
	if !c.lab.Eventually(15*time.Second, func() bool { return connected() >= n }) {
		c.lab.fatal("%d switches connected, want %d", connected(), n)
	}
}

// A CommandResult of the client command.
type CommandResult struct {
	Stdout, Stderr string
	Exit           int
}

func (r CommandResult) String() string {
	return fmt.Sprintf("exit %d\n%s%s", r.Exit, r.Stdout, r.Stderr)
}

// Eosin runs a client command ("get", "hosts") against this controller.
func (c *Controller) Eosin(args ...string) CommandResult {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Binary, args...)
	cmd.Env = append(os.Environ(), "EOSIN_SERVER="+c.URL)
	cmd.Dir = filepath.Dir(c.lab.dir)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		c.lab.fatal("eosin %s: %w", strings.Join(args, " "), err)
	}
	return CommandResult{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}
