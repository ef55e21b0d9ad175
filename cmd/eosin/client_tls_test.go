package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/controller/api/apitest"
	"github.com/eosin-sdn/eosin/controller/pki"
	"github.com/eosin-sdn/eosin/controller/pki/pkitest"
)

// silent is told nothing.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}

// httpsServer shows the lab over HTTPS and returns HOST:PORT.
func httpsServer(t *testing.T, files *pkitest.Files, mutual bool) string {
	t.Helper()
	p := pki.Paths{Section: "http.tls", Cert: files.Cert(), Key: files.Key()}
	if mutual {
		p.CA = files.CA()
	}
	f, err := pki.Open(p, silent{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler: api.New(api.Options{Backend: apitest.Lab()}), ReadHeaderTimeout: 5 * time.Second,
		ErrorLog: log.New(io.Discard, "", 0),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(f.Listen(l)) }() // ends with Close
	t.Cleanup(func() { _ = server.Close(); <-ended })
	return l.Addr().String()
}

func TestClientTLS(t *testing.T) {
	ca, other := pkitest.New(t, "Eosin CA"), pkitest.New(t, "other CA")
	made := func(cert tls.Certificate, cas ...*pkitest.Authority) *pkitest.Files {
		files := pkitest.NewFiles(t)
		files.Write(cert, cas...)
		return files
	}
	web := made(ca.Issue("eosin", pkitest.Tomorrow(), "127.0.0.1"), ca)
	good, mutual := httpsServer(t, web, false), httpsServer(t, web, true)
	expired := httpsServer(t, made(ca.Issue("eosin", pkitest.Yesterday(), "127.0.0.1"), ca), false)
	nameless := httpsServer(t, made(ca.Issue("eosin", pkitest.Tomorrow()), ca), false)
	elsewhere := httpsServer(t, made(ca.Issue("eosin", pkitest.Tomorrow(), "eosin.example", "192.0.2.1"), ca), false)
	strange := httpsServer(t, made(other.Issue("eosin", pkitest.Tomorrow(), "127.0.0.1"), other), false)
	plain := strings.TrimPrefix(labServer(t), "http://")

	me := made(ca.Issue("me", pkitest.Tomorrow()), ca)
	late := made(ca.Issue("late", pkitest.Yesterday()), ca)
	stranger := made(other.Issue("stranger", pkitest.Tomorrow()), other)
	with := func(f *pkitest.Files) string { return " --cert " + f.Cert() + " --key " + f.Key() }
	trust := " --ca " + web.CA()

	for name, c := range map[string]struct {
		server, flags string
		env           map[string]string
		status        int
		says          []string // on standard error
	}{
		"right":            {"https://" + good, trust, nil, 0, nil},
		"without a scheme": {good, trust, nil, 0, nil},
		"by environment": {
			"https://" + mutual, "",
			map[string]string{"EOSIN_CA": web.CA(), "EOSIN_CERT": me.Cert(), "EOSIN_KEY": me.Key()},
			0, nil,
		},
		"flags before environment":      {"https://" + good, trust, map[string]string{"EOSIN_CA": "/nowhere"}, 0, nil},
		"mutual":                        {"https://" + mutual, trust + with(me), nil, 0, nil},
		"a certificate nobody asks for": {"https://" + good, trust + with(me), nil, 0, nil},
		"the environment and plain HTTP": {
			"http://" + plain, "",
			map[string]string{"EOSIN_CA": "/nowhere", "EOSIN_CERT": "/nowhere"},
			0, nil,
		},

		"unknown authority": {
			"https://" + good, "", nil, 3,
			[]string{"an authority that this system does not know", "CN=Eosin CA", "--ca"},
		},
		"another authority": {
			"https://" + strange, trust, nil, 3,
			[]string{"does not come from the authority in " + web.CA(), "(--ca)", "CN=other CA"},
		},
		"by name of variable": {
			"https://" + strange, "",
			map[string]string{"EOSIN_CA": web.CA()},
			3,
			[]string{"(EOSIN_CA)"},
		},
		"expired": {"https://" + expired, trust, nil, 3, []string{"has expired on", `"eosin"`}},
		"for no host": {
			"https://" + nameless, trust, nil, 3,
			[]string{"not for 127.0.0.1 but for no host at all", "subjectAltName"},
		},
		"for another host": {
			"https://" + elsewhere, trust, nil, 3,
			[]string{"not for 127.0.0.1 but for eosin.example, 192.0.2.1"},
		},
		"no client certificate": {
			"https://" + mutual, trust, nil, 3,
			[]string{"demands a certificate of its clients", "--cert", "EOSIN_KEY"},
		},
		"wrong client": {
			"https://" + mutual, trust + with(stranger), nil, 3,
			[]string{"does not accept the certificate in " + stranger.Cert(), "unknown certificate authority"},
		},
		"expired client": {
			"https://" + mutual, trust + with(late), nil, 3,
			[]string{"does not accept the certificate in " + late.Cert(), "expired certificate"},
		},
		"HTTP to HTTPS": {"http://" + good, "", nil, 3, []string{"speaks HTTPS: write https://" + good}},
		"HTTPS to HTTP": {
			"https://" + plain, trust, nil, 3,
			[]string{"speaks HTTP, not HTTPS: write http://" + plain},
		},
		"nobody there":       {"https://127.0.0.1:1", trust, nil, 3, []string{"Is 'eosin serve' running"}},
		"a flag for HTTP":    {"http://" + plain, trust, nil, 2, []string{"--ca is for servers that speak HTTPS"}},
		"the default server": {"", with(me), nil, 2, []string{"--cert is for servers that speak HTTPS"}},
		"certificate alone":  {"https://" + mutual, " --cert " + me.Cert(), nil, 2, []string{"needs its key"}},
		"key alone":          {"https://" + mutual, " --key " + me.Key(), nil, 2, []string{"needs its key"}},
		"no such file": {
			"https://" + good, " --ca /nowhere.pem", nil, 3,
			[]string{"--ca: ", "/nowhere.pem: no such file"},
		},
		"no authority": {
			"https://" + good, "",
			map[string]string{"EOSIN_CA": me.Key()},
			3,
			[]string{"EOSIN_CA: ", "holds no certificate"},
		},
		"another key": {
			"https://" + mutual, trust + " --cert " + me.Cert() + " --key " + late.Key(), nil, 3,
			[]string{"--key: ", "is not the key of"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{"EOSIN_SERVER": c.server}
			for k, v := range c.env {
				env[k] = v
			}
			got := eosinWith(t.Context(), env, append([]string{"get", "networks"}, strings.Fields(c.flags)...)...)
			if got.status != c.status {
				t.Errorf("exit %d, want %d\n%s%s", got.status, c.status, got.stdout, got.stderr)
			}
			if c.status == exitOK && (!strings.Contains(got.stdout, "blue") || got.stderr != "") {
				t.Errorf("%+v", got)
			}
			for _, text := range c.says {
				if !strings.Contains(got.stderr, text) {
					t.Errorf("%q is not in %s", text, got.stderr)
				}
			}
			if len(c.says) > 0 && c.says[0] != "Is 'eosin serve' running" && strings.Contains(got.stderr,
				"Is 'eosin serve' running") {
				t.Errorf("a hint that leads astray: %s", got.stderr)
			}
		})
	}
}

// What the shell completes after flags that take a file.
func TestCompleteFiles(t *testing.T) {
	for _, flag := range []string{"--ca", "--cert", "--key", "--token-file"} {
		got := eosinWith(t.Context(), nil, "__complete", "get", "hosts", flag, "")
		if got.stdout != ":0\n" { // cobra.ShellCompDirectiveDefault: the shell completes names of files
			t.Errorf("%s: %+v", flag, got)
		}
	}
}

// TestCheckFiles: what check, and serve at its start, say of the files that a config names.
func TestCheckFiles(t *testing.T) {
	ca := pkitest.New(t, "CA")
	now := time.Now()
	month := now.Add(30 * 24 * time.Hour)
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	made := func(cert tls.Certificate, cas ...*pkitest.Authority) *pkitest.Files {
		files := pkitest.NewFiles(t)
		files.Write(cert, cas...)
		return files
	}
	lasting := ca // lasts for three days, which is soon
	good := made(ca.Issue("eosin", month, "eosin.example"))
	other := made(ca.Issue("other", month, "eosin.example"))
	type found struct {
		line     int
		severity severity
		says     string
	}
	for name, c := range map[string]struct {
		yaml string
		want []found
	}{
		"right": {"http:\n  token_file: " + file("token", "word\n", 0o600) + "\n  tls: " + good.YAML(false), nil},
		"missing": {
			"http:\n  token_file: /none\n  tls:\n    cert: /none.pem\n    key: " + good.Key() + "\n    ca: /nope.pem",
			[]found{
				{2, missing, "http.token_file: open /none: no such file"},
				{4, missing, "http.tls.cert: stat /none.pem"},
				{6, missing, "http.tls.ca: stat /nope.pem"},
			},
		},
		"broken": {
			"http:\n  token_file: " + file("empty", " \n",
				0o600) + "\n  tls:\n    cert: " + good.Cert() + "\n    key: " + other.Key(),
			[]found{{2, unusable, "is empty"}, {5, unusable, "is not the key of the certificate"}},
		},
		"several words": {
			"http: {token_file: " + file("words", "a b", 0o600) + "}",
			[]found{{1, unusable, "more than one word"}},
		},
		"open to all": {
			"http: {token_file: " + file("open", "word", 0o644) + "}", []found{{1, warning, "chmod 600"}},
		},
		"authority ends soon": {
			"openflow: {tls: " + made(ca.Issue("eosin", month),
				lasting).YAML(true) + "}", []found{{1, warning, "openflow.tls.ca: "}},
		},
		"not an authority": {
			"openflow: {tls: {cert: " + good.Cert() + ", key: " + good.Key() + ", ca: " + other.Cert() + "}}",
			[]found{{1, warning, `"other" (serial`}},
		},
		"expired": {
			"http: {tls: " + made(ca.Issue("eosin", pkitest.Yesterday(), "h")).YAML(false) + "}", []found{{
				1, expired,
				`certificate "eosin" (serial `,
			}},
		},
		"ends soon": {
			"http: {tls: " + made(ca.Issue("eosin", pkitest.Tomorrow(), "192.0.2.1")).YAML(false) + "}", []found{{
				1,
				warning, "expires on",
			}},
		},
		"for no host": {
			"http: {tls: " + made(ca.Issue("eosin", month, "ctl id:1-2-3")).YAML(false) + "}", []found{{
				1, warning,
				"subjectAltName",
			}},
		},
		"for clients": {
			"http: {tls: " + made(ca.IssueFor([]x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, "eosin", month,
				"h")).YAML(false) + "}",
			[]found{{1, warning, "not meant for servers"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := config.Parse("eosin.yaml", []byte(c.yaml+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			got := checkFiles(cfg, now)
			if len(got) != len(c.want) {
				t.Fatalf("found %+v, want %+v", got, c.want)
			}
			for i, w := range c.want {
				if g := got[i]; g.Line != w.line || g.severity != w.severity || !strings.Contains(g.Message,
					w.says) || !strings.HasPrefix(g.Error.Error(), "eosin.yaml:") {
					t.Errorf("found %+v, want %+v", g, w)
				}
			}
		})
	}

	// check: what is missing here may be where the controller runs; what is wrong is wrong.
	path := file("eosin.yaml", "http:\n  tls: {cert: /none.pem, key: /none.pem}\n", 0o600)
	if got := eosin(t, "", "check", path); got.status != exitOK || !strings.Contains(got.stderr,
		"warning: "+path+":2: http.tls.cert: ") || !strings.Contains(got.stderr,
		"will not start without it") || !strings.Contains(got.stdout, ": ok") {
		t.Errorf("%+v", got)
	}
	path = file("eosin.yaml", "http:\n  tls: "+made(ca.Issue("eosin", month,
		"h")).YAML(false)+"\n  token_file: empty\n", 0o600)
	if got := eosin(t, "", "check", path); got.status != exitFailed || got.stdout != "" ||
		!strings.HasPrefix(got.stderr, path+":3: http.token_file: ") {
		t.Errorf("%+v", got)
	}
}
