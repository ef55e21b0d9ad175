// Package api is the HTTP server: the JSON API under /api/v1/, health checks, metrics, and probes in the way of
// Prometheus's blackbox_exporter. It gets all data from a [Backend], and reports errors as RFC 9457 problem documents
// ([Problem]). The command line client uses the exported types of the JSON objects.
package api
