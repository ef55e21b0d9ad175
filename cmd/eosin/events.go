package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/eosin-sdn/eosin/config/spelling"
	"github.com/eosin-sdn/eosin/controller/api"
)

// reconnectDelay is the time between two tries to go on with a stream of events that broke off.
const reconnectDelay = time.Second

// eventsCommand shows what happened and what happens.
func (a *app) eventsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show what happened, and with --follow what happens",
		Example: `  eosin events
  eosin events --follow
  eosin events --follow -o json`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	form := addOutput(cmd)
	var follow bool
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with new events until interrupted")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		if follow {
			return a.followEvents(cmd.Context(), c, *form)
		}
		body, err := c.get(cmd.Context(), "/api/v1/events")
		if err != nil {
			return err
		}
		if *form == outputJSON {
			return writeIndented(a.stdout, body)
		}
		events, err := decodeList[api.Event](body)
		if err != nil {
			return failf("the answer of %s cannot be read: %w", c.base, err)
		}
		for _, e := range events {
			a.writeEvent(e)
		}
		return nil
	}
	return cmd
}

// writeEvent writes an event as a line.
func (a *app) writeEvent(e api.Event) {
	fmt.Fprintf(a.stdout, "%s  %-7s  %s\n", e.Time.In(a.zone).Format(time.RFC3339), spelling.Printable(e.Level),
		spelling.Printable(e.Message))
}

// followEvents writes events until it is interrupted. When the stream breaks off it goes on where it was.
func (a *app) followEvents(ctx context.Context, c *client, form output) error {
	last := ""
	for first := true; ; first = false {
		connected, err := a.streamEvents(ctx, c, form, &last)
		if ctx.Err() != nil {
			return nil
		}
		if first && !connected {
			return err
		}
		fmt.Fprintf(a.stderr, "eosin: %v; trying again\n", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(reconnectDelay):
		}
	}
}

// streamEvents writes the events of one connection and keeps the id of the last. It always ends with an error, and
// tells whether the stream had begun.
func (a *app) streamEvents(ctx context.Context, c *client, form output, last *string) (connected bool, err error) {
	header := http.Header{}
	path := "/api/v1/events?after=0"
	if *last != "" {
		header.Set("Last-Event-ID", *last)
	}
	response, err := c.open(ctx, http.MethodGet, path, "text/event-stream", nil, header)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	if mediaType(response) != "text/event-stream" {
		return false, c.foreign(response)
	}
	return true, readEvents(response.Body, func(id string, data []byte) error {
		*last = id
		if form == outputJSON {
			_, err := fmt.Fprintf(a.stdout, "%s\n", data)
			return err
		}
		var e api.Event
		if err := json.Unmarshal(data, &e); err != nil {
			return err
		}
		a.writeEvent(e)
		return nil
	})
}

// readEvents reads a stream of server-sent events and hands each that has data to take.
func readEvents(r io.Reader, take func(id string, data []byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	var id string
	var data []string
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() == "":
			if len(data) > 0 {
				if err := take(id, []byte(strings.Join(data, "\n"))); err != nil {
					return err
				}
			}
			data = nil
		case name == "id":
			id = value
		case name == "data":
			data = append(data, value)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return errors.New("the controller ended the stream")
}
