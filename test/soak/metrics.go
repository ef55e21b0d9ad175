package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// scrape is what /metrics said: values by series, as they are written.
type scrape map[string]float64

// parseScrape reads the text format as far as it matters: comments, and lines of a series and its value.
func parseScrape(text []byte) (scrape, error) {
	s := scrape{}
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		i := bytes.LastIndexByte(line, ' ')
		if i < 0 {
			return nil, fmt.Errorf("metrics: %q", line)
		}
		v, err := strconv.ParseFloat(string(line[i+1:]), 64)
		if err != nil {
			return nil, fmt.Errorf("metrics: %q: %w", line, err)
		}
		s[string(line[:i])] = v
	}
	return s, nil
}

var labels = regexp.MustCompile(`(\w+)="([^"]*)"`)

// each calls f for each series of a metric.
func (s scrape) each(metric string, f func(labelsOf map[string]string, v float64)) {
	for series, v := range s {
		if !strings.HasPrefix(series, metric+"{") {
			continue
		}
		m := map[string]string{}
		for _, l := range labels.FindAllStringSubmatch(series, -1) {
			m[l[1]] = l[2]
		}
		f(m, v)
	}
}

// sum adds the series of a metric.
func (s scrape) sum(metric string) (sum float64) {
	s.each(metric, func(_ map[string]string, v float64) { sum += v })
	return sum
}

// liveHeap is what the last garbage collection found alive: the next one comes when as much again has been added
// (GOGC=100).
func (s scrape) liveHeap() float64 { return s["go_memstats_next_gc_bytes"] / 2 }

func (s scrape) sample() sample {
	return sample{s["process_resident_memory_bytes"], s.liveHeap(), s["go_goroutines"], s["process_open_fds"]}
}

// collections is how many garbage collections there were.
func (s scrape) collections() float64 { return s["go_gc_duration_seconds_count"] }

// A scraper reads one controller's metrics over one connection that it keeps.
type scraper struct {
	url    string
	client *http.Client
}

func newScraper(url string) *scraper {
	return &scraper{url, &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxConnsPerHost: 1}}}
}

func (s *scraper) read(ctx context.Context) (scrape, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("metrics: %s", resp.Status)
	}
	return parseScrape(body)
}
