package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/controller/api/apitest"
)

func TestProbeAnswers(t *testing.T) {
	b, url := lab(t)
	for name, body := range map[string]string{
		"probe_reachable":   `{"source":"vm1","destination":"10.0.3.2","count":3,"interval":"1ms"}`,
		"probe_unreachable": `{"source":"host1:vif1","destination":"vm3","count":1,"timeout":0.001,"color":77}`,
		"probe_partial": `{"source":"vm1","destination":"vm4","type":"arp","count":3,` +
			`"interval":0.001,"timeout":"1ms","size":1400}`,
	} {
		a := ask(t, "POST", url+"/api/v1/probes", body)
		if a.StatusCode != 200 {
			t.Fatalf("%s: %d %s", name, a.StatusCode, a.body)
		}
		golden(t, name+".json", indent(t, a.body))
	}
	for _, want := range []probespec.Request{
		{
			Source: "vm1", Destination: "10.0.3.2", Type: probe.ICMP, Size: 56, Count: 3,
			Interval: probespec.Duration(time.Millisecond), Timeout: probespec.Duration(time.Second),
		},
		{
			Source: "vm1", Destination: "vm4", Type: probe.ARP, Count: 3,
			Interval: probespec.Duration(time.Millisecond),
			Timeout:  probespec.Duration(time.Millisecond), Size: 1400,
		},
	} {
		if !slices.Contains(b.Requests(), want) {
			t.Errorf("the backend got %+v, not %+v", b.Requests(), want)
		}
	}
}

func TestProbeRequestsThatAreWrong(t *testing.T) {
	_, url := lab(t)
	for _, c := range []struct {
		body   string
		status int
		code   api.Code
		detail string // a part of it
	}{
		{"", 400, api.CodeMalformed, "the body is empty"},
		{"  \n", 400, api.CodeMalformed, "the body is empty"},
		{"null", 400, api.CodeMalformed, "must be a JSON object, is null"},
		{"[]", 400, api.CodeMalformed, "must be a JSON object, is an array"},
		{`"x"`, 400, api.CodeMalformed, "must be a JSON object, is a string"},
		{"{\"source\":\"vm1\",\n  \"destination\" \"vm2\"}", 400, api.CodeMalformed, "line 2, column 17"},
		{"{\"source\":\"vm1\"", 400, api.CodeMalformed, "line 1, column 16: it ends too early"},
		{"{\"source\":\"vm1\"}\n {}", 400, api.CodeMalformed, "line 2, column 2: more text"},
		{"{\"source\":\"\x01\"}", 400, api.CodeMalformed, "line 1, column 12"},
		{strings.Repeat("[", 20000), 400, api.CodeMalformed, ""},
		{`{"source":` + strings.Repeat("[", 20000), 400, api.CodeMalformed, "malformed JSON"},
		{"{}", 422, api.CodeInvalid, "source is missing"},
		{`{"source":"vm1"}`, 422, api.CodeInvalid, "destination is missing"},
		{`{"source":"vm1","destination":" "}`, 422, api.CodeInvalid, "destination is missing"},
		{`{"source":"vm1","destination":null}`, 422, api.CodeInvalid, "destination is missing"},
		{`{"source":7,"destination":"vm2"}`, 422, api.CodeInvalid, "source must be a string, is 7"},
		{
			`{"source":"vm1","destination":"vm2","Count":3}`, 422, api.CodeInvalid,
			"Count is not known; the members are color, count",
		},
		{`{"source":"vm1","destination":"vm2","count":0}`, 422, api.CodeInvalid, "count must be above 0"},
		{
			`{"source":"vm1","destination":"vm2","count":-1}`, 422, api.CodeInvalid,
			"count must be from 1 to 100000, is -1",
		},
		{
			`{"source":"vm1","destination":"vm2","count":1.5}`, 422, api.CodeInvalid,
			"count must be a whole number, is 1.5",
		},
		{`{"source":"vm1","destination":"vm2","count":1e99}`, 422, api.CodeInvalid, "count must be a whole number"},
		{
			`{"source":"vm1","destination":"vm2","interval":"fast"}`, 422, api.CodeInvalid,
			`interval must be a string with a unit`,
		},
		{
			`{"source":"vm1","destination":"vm2","interval":"1us"}`, 422, api.CodeInvalid,
			"interval must be from 1ms to 24h0m0s, is 1µs",
		},
		{`{"source":"vm1","destination":"vm2","interval":1e300}`, 422, api.CodeInvalid, "interval must be"},
		{
			`{"source":"vm1","destination":"vm2","timeout":"-1s"}`, 422, api.CodeInvalid,
			"timeout must be from 1ms to 1m0s, is -1s",
		},
		{`{"source":"vm1","destination":"vm2","timeout":{}}`, 422, api.CodeInvalid, "timeout must be"},
		{
			`{"source":"vm1","destination":"vm2","count":10000,"interval":"1h"}`, 422, api.CodeInvalid,
			"longer than 24h0m0s",
		},
		{
			`{"source":"vm1","destination":"vm2","color":65536}`, 422, api.CodeInvalid,
			"color must be from 1 to 65535, is 65536",
		},
		{`{"source":"vm1","destination":"vm2","color":0}`, 422, api.CodeInvalid, "color must be above 0"},
		{
			`{"source":"vm1","destination":"vm2","size":99999}`, 422, api.CodeInvalid,
			"size must be from 1 to 65000 bytes, is 99999",
		},
		{
			`{"source":"vm1","destination":"vm2","type":"sctp"}`, 422, api.CodeInvalid,
			`type "sctp" is not a type of probe; use icmp, icmp6 or arp`,
		},
		{
			`{"source":"vm1","destination":"vm2","type":"tcp:80"}`, 422, api.CodeInvalid,
			`type "tcp:80" is a type of probe that cannot be run yet; use icmp`,
		},
		{`{"source":"vm1","destination":"vm2","type":7}`, 422, api.CodeInvalid, "type must be a string, is 7"},
		{
			`{"source":"` + strings.Repeat("v", 300) + `","destination":"vm2"}`, 422, api.CodeInvalid,
			"source is 300 bytes long",
		},
		{`{"source":"vm9","destination":"vm2"}`, 422, api.CodeUnknownName, `unknown source "vm9"`},
		{`{"source":"vm5","destination":"vm2"}`, 422, api.CodeCannotRun, "the source vm5 is down"},
	} {
		p := wantProblem(t, ask(t, "POST", url+"/api/v1/probes", c.body), c.status, c.code)
		if !strings.Contains(p.Detail, c.detail) {
			t.Errorf("%.60s: detail %q, want %q", c.body, p.Detail, c.detail)
		}
	}
	p := wantProblem(t, ask(t, "POST", url+"/api/v1/probes", `{"source":"","count":-1,"color":-2}`), 422,
		api.CodeInvalid)
	if len(p.Errors) != 4 {
		t.Errorf("want every wrong member at once: %+v", p.Errors)
	}
	p = wantProblem(t, ask(t, "POST", url+"/api/v1/probes", `{"source":"vm5","destination":"vm2"}`), 422,
		api.CodeCannotRun)
	if p.Stage != "source_down" || len(p.Evidence) != 1 {
		t.Errorf("%+v", p)
	}
	wantProblem(t, ask(t, "POST", url+"/api/v1/probes", "x", "Content-Encoding: gzip"), 415, api.CodeMalformed)
}

// failing is a backend whose probes cannot be run.
type failing struct {
	*apitest.Backend
	err error
}

func (f *failing) Probe(context.Context, probespec.Request, func(probespec.Update)) (probespec.Result, error) {
	return probespec.Result{}, f.err
}

// TestProbeErrors: each error of the prober has its status, code and words.
func TestProbeErrors(t *testing.T) {
	b := &failing{Backend: apitest.Lab()}
	url := serve(t, b, nil) + "/api/v1/probes"
	two := []string{"a", "b"}
	for _, c := range []struct {
		err    error
		status int
		code   api.Code
		detail string
	}{
		{
			&probespec.EndError{End: "source", Err: &probespec.UnknownError{Ref: "vm", Candidates: two}},
			422, api.CodeUnknownName, `unknown source "vm"; candidates: a, b`,
		},
		{
			&probespec.EndError{End: "destination", Err: &probespec.AmbiguousError{Ref: "vm", Candidates: two}},
			422, api.CodeAmbiguous, `destination "vm" is ambiguous; candidates: a, b`,
		},
		{&probespec.InvalidError{Field: "type", Text: "is wrong"}, 422, api.CodeInvalid, "type is wrong"},
		{
			&probespec.CannotRunError{Stage: probespec.SourceDown, Reason: "switch host1: not connected"},
			422, api.CodeCannotRun, "switch host1: not connected",
		},
		{
			&probe.ColorError{Color: 7, Wait: 20 * time.Second},
			409, api.CodeColorBusy, "color 7 is in use for another 20 s",
		},
		{&probe.ColorError{}, 409, api.CodeColorBusy, "no color is free: too many probes are running"},
		{errors.New("boom"), 500, api.CodeInternal, ""},
	} {
		b.err = c.err
		for _, accept := range []string{"application/json", "application/x-ndjson"} {
			a := ask(t, "POST", url, `{"source":"vm","destination":"vm"}`, "Accept: "+accept)
			p := wantProblem(t, a, c.status, c.code)
			if !strings.HasPrefix(p.Detail, c.detail) || (p.Stage == "source_down") != (c.code == api.CodeCannotRun) {
				t.Errorf("%v: %+v", c.err, p)
			}
		}
	}
}

func TestBusyColorAndTooMany(t *testing.T) {
	b := apitest.Lab()
	started := make(chan struct{}, 2)
	finish := make(chan struct{})
	b.OnProbe = func(context.Context) { started <- struct{}{}; <-finish }
	url := serve(t, b, func(o *api.Options) { o.Limits.Probes = 2 })
	var running sync.WaitGroup
	run := func(body string) {
		running.Go(func() {
			if a := ask(t, "POST", url+"/api/v1/probes", body); a.StatusCode != 200 {
				t.Errorf("%d %s", a.StatusCode, a.body)
			}
		})
		<-started
	}
	one := `{"source":"vm1","destination":"vm2","count":1,"color":5000}`
	run(one)
	a := ask(t, "POST", url+"/api/v1/probes", one)
	p := wantProblem(t, a, http.StatusConflict, api.CodeColorBusy)
	if !strings.Contains(p.Detail, "color 5000 is in use") || a.Header.Get("Retry-After") != "30" {
		t.Errorf("%+v %v", p, a.Header)
	}
	run(`{"source":"vm1","destination":"vm2","count":1}`)
	a = ask(t, "POST", url+"/api/v1/probes", one)
	wantProblem(t, a, http.StatusTooManyRequests, api.CodeTooMany)
	if a.Header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
	}
	wantProblem(t, ask(t, "GET", url+"/probe?source=vm1&target=vm2", ""), http.StatusTooManyRequests, api.CodeTooMany)
	close(finish)
	running.Wait()
	b.OnProbe = nil
	if a := ask(t, "POST", url+"/api/v1/probes", one); a.StatusCode != 200 {
		t.Errorf("the limit is not given back: %s", a.body)
	}
}

func TestProbeEndsWithItsClient(t *testing.T) {
	for _, accept := range []string{"application/json", "application/x-ndjson"} {
		b := apitest.Lab()
		ended := make(chan struct{})
		started := make(chan struct{})
		b.OnProbe = func(ctx context.Context) {
			context.AfterFunc(ctx, func() { close(ended) })
			close(started)
		}
		// The body's own time limit must not end the probe, and the client's going must.
		url := serve(t, b, func(o *api.Options) { o.Limits.BodyTimeout = 100 * time.Millisecond })
		ctx, cancel := context.WithCancel(t.Context())
		request, err := http.NewRequestWithContext(ctx, "POST", url+"/api/v1/probes",
			strings.NewReader(`{"source":"vm1","destination":"vm2","count":1000}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept", accept)
		go func() {
			if response, err := http.DefaultClient.Do(request); err == nil {
				defer response.Body.Close()
				<-ctx.Done()
			}
		}()
		<-started
		select {
		case <-ended:
			t.Errorf("%s: the probe ended although its client waits", accept)
		case <-time.After(400 * time.Millisecond):
		}
		cancel()
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			t.Errorf("%s: the probe goes on without its client", accept)
		}
	}
}

func TestProbeStreams(t *testing.T) {
	_, url := lab(t)
	request, err := http.NewRequestWithContext(t.Context(), "POST", url+"/api/v1/probes",
		strings.NewReader(`{"source":"vm1","destination":"vm4","count":3,"interval":"300ms","timeout":"1ms"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/x-ndjson, application/json;q=0.5")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Header.Get("Content-Type"); got != "application/x-ndjson" {
		t.Errorf("content type %s", got)
	}
	var events []string
	var at []time.Duration
	began := time.Now()
	var last api.ProbeUpdate
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		last = api.ProbeUpdate{}
		if err := json.Unmarshal(lines.Bytes(), &last); err != nil {
			t.Fatal(err)
		}
		events, at = append(events, last.Event), append(at, time.Since(began))
	}
	if want := []string{"started", "reply", "reply", "lost", "result"}; !slices.Equal(events, want) {
		t.Fatalf("events %v, want %v", events, want)
	}
	if at[2]-at[1] < 200*time.Millisecond {
		t.Errorf("lines came at %v, not as the replies did", at)
	}
	if last.Result.Sent != 3 || last.Result.Received != 2 || last.Result.Verdict != probespec.Partial ||
		last.Result.Loss == nil {
		t.Errorf("result %+v", last.Result)
	}
	// What is found before anything is sent has its own status.
	wantProblem(t,
		ask(t, "POST", url+"/api/v1/probes", `{"source":"vm9","destination":"vm4"}`, "Accept: application/x-ndjson"),
		422, api.CodeUnknownName)
}

func FuzzDecodeProbeRequest(f *testing.F) {
	for _, seed := range []string{
		`{"source":"vm1","destination":"vm2"}`, `{"interval":"1s","timeout":0.5}`,
		`{"count":1e9}`, "{}x", "", "null", `{"source"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		request, problem := api.DecodeProbeRequest(body)
		if problem != nil {
			if problem.Detail == "" || problem.Status < 400 {
				t.Errorf("a problem that says nothing: %+v", problem)
			}
			return
		}
		text, err := json.Marshal(request)
		if err != nil {
			t.Fatal(err)
		}
		again, problem := api.DecodeProbeRequest(text)
		if problem != nil || again != request {
			t.Errorf("%s reads back as %+v, %v", text, again, problem)
		}
	})
}
