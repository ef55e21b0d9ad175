package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/sirupsen/logrus"
	"golang.org/x/sync/semaphore"
)

// Options configure a [Server]. Only Backend is needed.
type Options struct {
	Backend Backend
	Version string         // of the program, shown on / and in the OpenAPI document
	Token   string         // bearer token that every path but /healthz requires; empty: none
	Metrics http.Handler   // serves /metrics; nil: an empty page
	Page    http.Handler   // serves /; nil: a short index in JSON
	Log     *logrus.Logger // nil: nothing is logged
	Limits  Limits
}

// Limits bound the resources of clients. Zero stands for the default of each.
type Limits struct {
	Probes            int           // concurrent probes of all clients; 256
	Streams           int           // concurrent event streams; 256
	StreamBuffer      int           // events queued for a client before it is dropped; 256
	Body              int64         // bytes; 1 MiB
	Header            int           // bytes; 16 KiB
	ReadHeaderTimeout time.Duration // 5 s
	BodyTimeout       time.Duration // for the whole body; 5 s
	WriteTimeout      time.Duration // for each write; 10 s
	IdleTimeout       time.Duration // between two requests of a connection; 2 min
	Heartbeat         time.Duration // between comments on a silent event stream; 15 s
	Shutdown          time.Duration // for open requests when the server ends; 3 s
}

func (l Limits) withDefaults() Limits {
	def(&l.Probes, 256)
	def(&l.Streams, 256)
	def(&l.StreamBuffer, 256)
	def(&l.Body, 1<<20)
	def(&l.Header, 16<<10)
	def(&l.ReadHeaderTimeout, 5*time.Second)
	def(&l.BodyTimeout, 5*time.Second)
	def(&l.WriteTimeout, 10*time.Second)
	def(&l.IdleTimeout, 2*time.Minute)
	def(&l.Heartbeat, 15*time.Second)
	def(&l.Shutdown, 3*time.Second)
	return l
}

// def sets a zero value to its default.
func def[T comparable](value *T, to T) {
	var zero T
	if *value == zero {
		*value = to
	}
}

// Server serves the API. It is an [http.Handler]; [Server.Serve] adds the timeouts of connections.
type Server struct {
	Options
	mux      *http.ServeMux
	api      huma.API
	spec     []byte
	token    atomic.Pointer[[sha256.Size]byte] // hash of the token; nil: none is required
	origin   *http.CrossOriginProtection
	probes   *semaphore.Weighted
	streams  *semaphore.Weighted
	stopping context.Context // ends when long-running requests must
	stop     context.CancelFunc
}

// New returns a server. It panics if the operations are inconsistent, which a test finds.
func New(o Options) *Server {
	o.Limits = o.Limits.withDefaults()
	if o.Log == nil {
		o.Log = logrus.New()
		o.Log.SetOutput(io.Discard)
	}
	if o.Version == "" {
		o.Version = "unknown"
	}
	s := &Server{
		Options: o,
		mux:     http.NewServeMux(),
		origin:  http.NewCrossOriginProtection(),
		probes:  semaphore.NewWeighted(int64(o.Limits.Probes)),
		streams: semaphore.NewWeighted(int64(o.Limits.Streams)),
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.SetToken(o.Token)
	s.api = humago.New(s.mux, describe(o.Version))
	s.register()
	s.spec = s.finishSpec()
	return s
}

// register adds every operation, in the order of the OpenAPI document.
func (s *Server) register() {
	s.registerLists()
	s.registerProbes()
	s.registerEvents()
	s.registerBlackbox()
	s.registerHealth()
}

// SetToken changes the required token; empty means none. It is safe for concurrent use.
func (s *Server) SetToken(token string) {
	if token == "" {
		s.token.Store(nil)
		return
	}
	sum := sha256.Sum256([]byte(token))
	s.token.Store(&sum)
}

// Serve serves on the listener until ctx is done. Then it ends event streams and probes, lets short requests finish,
// and returns nil once nothing runs any more. It may be called once; it closes the listener.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: s.Limits.ReadHeaderTimeout,
		IdleTimeout:       s.Limits.IdleTimeout,
		// Headers above Limits.Header get a problem document; far above, net/http responds, which allows 4 KiB more.
		MaxHeaderBytes: s.Limits.Header,
		ErrorLog:       newErrorLog(s.Log),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }() // ends with Shutdown or Close, waited for below
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	s.stop()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Limits.Shutdown)
	defer cancel()
	err := server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		s.Log.Warn("http: some requests did not end in time and were cut")
		err = server.Close()
	}
	<-ended
	return err
}

// longRunning returns a context that ends with the client's request or when the server stops.
func (s *Server) longRunning(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(r.Context())
	stop := context.AfterFunc(s.stopping, func() { cancel(errStopping) })
	return ctx, func() { stop(); cancel(nil) }
}

// errStopping is the cause of a context that ends because the server stops.
var errStopping = errors.New("the controller is shutting down")

// problemFor turns an error of the backend into a problem. It returns nil when the client is gone.
func (s *Server) problemFor(ctx context.Context, r *http.Request, err error) *Problem {
	var p *Problem
	if of := probeProblem(err); of != nil {
		err = of
	}
	switch {
	case errors.As(err, &p):
		if p.Status < 400 || p.Status > 599 { // not made by our constructors
			p = internal(err)
		}
	case errors.Is(context.Cause(ctx), errStopping):
		return Unavailable("%v", errStopping)
	case r.Context().Err() != nil:
		return nil
	default:
		p = internal(err)
	}
	if p.Status >= 500 && p.Cause != nil {
		s.Log.WithError(p.Cause).WithFields(logrus.Fields{
			"method": r.Method,
			"path":   r.URL.Path,
		}).Error("http: request failed")
	}
	return p
}

// writeJSON writes a value as the whole response.
func writeJSON(w http.ResponseWriter, status int, value any) {
	writeAs(w, jsonType, status, value)
}

// writeAs writes a value as JSON of a media type.
func writeAs(w http.ResponseWriter, mediaType string, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil { // a time outside the years 0 to 9999; never a problem
		internal(err).write(w)
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // fails only when the client is gone
}
