package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

const eventsPath = apiPrefix + "/events"

// eventsInput is the query of GET events.
type eventsInput struct {
	Last  string `header:"Last-Event-ID" doc:"Id of the last event that was received" example:"1773480413000000"`
	After string `query:"after" pattern:"^[0-9]{1,20}$" doc:"Begin with the remembered events whose id is above this one; 0 for all that are remembered. The Last-Event-ID header has precedence." example:"0"`
}

// registerEvents adds GET events.
func (s *Server) registerEvents() {
	list := &huma.Schema{Type: huma.TypeArray, Items: schemaOf[Event](s.registry())}
	huma.Register(s.api, responding(s.operation(http.MethodGet, eventsPath, "list-events", "events", "Follow or list events",
		"Server-sent events: each has the id, its type as the event's name, and the event as JSON. A stream begins "+
			"with what happens next, or after the id that the Last-Event-ID header or ?after= names, as far as it is "+
			"remembered. A client that is too slow is cut off and can go on where it was. With \"Accept: "+
			"application/json\" the remembered events are answered as an array.",
		content{
			"text/event-stream": textMedia(eventText(exampleEvent)),
			jsonType:            {Schema: list, Example: []Event{exampleEvent}},
		}), "Events"),
		func(_ context.Context, in *eventsInput) (*huma.StreamResponse, error) {
			last := cmp.Or(strings.TrimSpace(in.Last), in.After)
			return raw(func(w http.ResponseWriter, r *http.Request) { s.serveEvents(w, r, last) })
		})
}

// serveEvents serves GET events.
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request, last string) {
	id, err := strconv.ParseUint(last, 10, 64)
	if last != "" && err != nil {
		message := "must be the id of an event, a whole number, is " + shorten([]byte(last))
		s.refuse(w, r, invalid(FieldError{"header.Last-Event-ID", message}))
		return
	}
	if accepts(r, jsonType) && !accepts(r, "text/event-stream") {
		events := s.Backend.Events(id)
		if events == nil {
			events = []Event{}
		}
		writeJSON(w, http.StatusOK, events)
		return
	}
	s.streamEvents(w, r, id, last != "")
}

// streamEvents sends events until the client goes, is too slow, or the server stops.
func (s *Server) streamEvents(w http.ResponseWriter, r *http.Request, after uint64, replay bool) {
	if !s.streams.TryAcquire(1) {
		s.refuse(w, r, tooMany(5, "%d event streams are open, which is the most at a time", s.Limits.Streams))
		return
	}
	defer s.streams.Release(1)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Connection", "close") // what ends the stream ends the connection: nothing is left of a slow client
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	subscription := s.Backend.Subscribe(after, replay, s.Limits.StreamBuffer)
	defer subscription.Close()

	control := http.NewResponseController(w)
	send := func(text string) bool {
		if _, err := w.Write([]byte(text)); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	if !send(": eosin events\n\n") {
		return
	}
	for _, e := range subscription.Backlog {
		if !send(eventText(e)) {
			return
		}
	}
	beat := time.NewTicker(s.Limits.Heartbeat)
	defer beat.Stop()
	for ok := true; ok; {
		select {
		case e, open := <-subscription.Events():
			ok = open && send(eventText(e))
		case <-beat.C:
			ok = send(": alive\n\n")
		case <-r.Context().Done():
			return
		case <-s.stopping.Done():
			return
		}
	}
}

// eventText writes an event in the form of the event stream.
func eventText(e Event) string {
	data, err := json.Marshal(e)
	if err != nil { // a time outside the years 0 to 9999: nothing else of it can fail
		return ": an event could not be written\n\n"
	}
	name := strings.NewReplacer("\n", "", "\r", "").Replace(e.Type)
	return fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", e.ID, name, data)
}
