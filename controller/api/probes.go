package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/sirupsen/logrus"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
)

const (
	probesPath = apiPrefix + "/probes"
	streamType = "application/x-ndjson"
)

// raw lets a plain handler write the response.
func raw(handler http.HandlerFunc) (*huma.StreamResponse, error) {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		handler(w, r)
	}}, nil
}

// registerProbes adds POST probes.
func (s *Server) registerProbes() {
	s.handle(responding(s.operation(http.MethodPost, probesPath, "run-probe", "probes", "Run a probe",
		"Answers when the probe is done with its result. Ends early when the client goes away. "+
			"With \"Accept: "+streamType+
			"\" the answer is a stream of lines, one JSON object for each piece of news as it comes; "+
			"the last one has the event result or problem.",
		content{
			jsonType: {
				Schema: schemaOf[probespec.Result](s.registry()),
				Examples: map[string]*huma.Example{
					"reachable":   {Value: exampleReachable},
					"unreachable": {Value: exampleUnreachable},
				},
			},
			streamType: textMedia(`{"event":"started","color":61441}` + "\n" +
				`{"event":"reply","seq":1,"rtt_seconds":0.000412}` + "\n"),
		}), "How the probe ended"), s.runProbe)
	schemaOf[ProbeUpdate](s.registry())
	finishProbeSchemas(s.registry())
	// Described after registration: huma would take the body from us to check it.
	s.api.OpenAPI().Paths[probesPath].Post.RequestBody = &huma.RequestBody{
		Required: true,
		Content: content{jsonType: {
			Schema: schemaOf[probespec.Request](s.registry()),
			Examples: map[string]*huma.Example{
				"least": {Summary: "All by default", Value: map[string]any{"source": "vm1", "destination": "vm2"}},
				"all": {Summary: "Everything said", Value: map[string]any{
					"source": "host1:vif1", "destination": "10.0.3.2", "type": "icmp", "count": 3,
					"interval": "200ms", "timeout": 0.5, "color": 61441, "size": 1400,
				}},
			},
		}},
	}
}

// runProbe serves POST probes.
func (s *Server) runProbe(w http.ResponseWriter, r *http.Request) {
	body, problem := s.readBody(w, r)
	if problem != nil {
		s.refuse(w, r, problem)
		return
	}
	request, problem := DecodeProbeRequest(body)
	if problem != nil {
		s.refuse(w, r, problem)
		return
	}
	if !s.probes.TryAcquire(1) {
		s.refuse(w, r, s.tooManyProbes())
		return
	}
	defer s.probes.Release(1)
	ctx, cancel := s.longRunning(r)
	defer cancel()
	if accepts(r, streamType) {
		s.streamProbe(ctx, cancel, w, r, request)
		return
	}
	result, err := s.Backend.Probe(ctx, request, nil)
	if err != nil {
		if p := s.problemFor(ctx, r, err); p != nil {
			p.write(w)
		}
		return
	}
	writeJSON(w, http.StatusOK, result)
}

// tooManyProbes says that the limit of concurrent probes is reached.
func (s *Server) tooManyProbes() *Problem {
	return tooMany(1, "%d probes are running, which is the most at a time; try again in a second", s.Limits.Probes)
}

// readBody reads the body within its limits of size and time.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request) ([]byte, *Problem) {
	tooLarge := newProblem(http.StatusRequestEntityTooLarge, CodeTooLarge, "the body is larger than %d bytes",
		s.Limits.Body)
	if r.ContentLength > s.Limits.Body {
		return nil, tooLarge
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil,
			newProblem(http.StatusUnsupportedMediaType, CodeMalformed, "the body must not be encoded, is %q", encoding)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.Limits.Body))
	var size *http.MaxBytesError
	var timeout net.Error
	switch {
	case errors.As(err, &size):
		return nil, tooLarge
	case errors.As(err, &timeout) && timeout.Timeout():
		return nil,
			newProblem(http.StatusRequestTimeout, CodeTimeout, "the body did not arrive within %v",
				s.Limits.BodyTimeout)
	case err != nil:
		return nil, malformed("the body cannot be read: %v", err)
	}
	// From here on net/http reads only to see the client go away, for which there must be no deadline.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	return body, nil
}

// accepts tells whether the Accept header names the media type and does not refuse it.
func accepts(r *http.Request, mediaType string) bool {
	for _, header := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(header, ",") {
			name, params, err := mime.ParseMediaType(part)
			if err == nil && name == mediaType && params["q"] != "0" {
				return true
			}
		}
	}
	return false
}

// outcome is how Backend.Probe ended.
type outcome struct {
	result probespec.Result
	err    error
}

// streamProbe runs a probe and writes each piece of news as a line. The status is that of the problem when one is found
// before the first news.
func (s *Server) streamProbe(ctx context.Context, cancel context.CancelFunc, w http.ResponseWriter, r *http.Request,
	request probespec.Request,
) {
	const waiting = 256 // news that may wait for the client before the probe is given up
	news := make(chan probespec.Update, waiting)
	done := make(chan outcome, 1)
	go func() { // ends with the probe, which cancel ends; its outcome is waited for below
		done <- s.guardedProbe(ctx, request, func(u probespec.Update) {
			select {
			case news <- u:
			default:
				cancel()
			}
		})
	}()
	out := lineWriter{w: w}
	var end outcome
	for running := true; running; {
		select {
		case u := <-news:
			if out.write(ProbeUpdate{Update: u}) != nil {
				cancel()
			}
		case end = <-done:
			running = false
		}
	}
	for len(news) > 0 {
		_ = out.write(ProbeUpdate{Update: <-news}) // a client that is gone needs no answer
	}
	if end.err == nil {
		_ = out.write(ProbeUpdate{Update: probespec.Update{Event: probespec.UpdateResult, Result: &end.result}})
		return
	}
	p := s.problemFor(ctx, r, end.err)
	switch {
	case p == nil:
	case out.begun:
		_ = out.write(ProbeUpdate{Update: probespec.Update{Event: probespec.UpdateProblem}, Problem: p})
	default:
		p.write(w)
	}
}

// guardedProbe runs a probe and turns a panic into an error: it runs in a goroutine of its own, where a panic would end
// the whole program.
func (s *Server) guardedProbe(ctx context.Context, request probespec.Request,
	report func(probespec.Update),
) (end outcome) {
	defer func() {
		if cause := recover(); cause != nil {
			s.Log.WithFields(logrus.Fields{
				"panic": fmt.Sprint(cause),
				"stack": string(debug.Stack()),
			}).Error("http: probe failed")
			end.err = internal(fmt.Errorf("panic: %v", cause))
		}
	}()
	end.result, end.err = s.Backend.Probe(ctx, request, report)
	return end
}

// lineWriter writes JSON lines and sends each at once.
type lineWriter struct {
	w     http.ResponseWriter
	begun bool
}

// write sends one line.
func (l *lineWriter) write(u ProbeUpdate) error {
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", streamType)
		l.w.WriteHeader(http.StatusOK)
	}
	line, err := json.Marshal(u)
	if err != nil {
		return err
	}
	if _, err := l.w.Write(append(line, '\n')); err != nil {
		return err
	}
	return http.NewResponseController(l.w).Flush()
}
