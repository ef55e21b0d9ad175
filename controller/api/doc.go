// Package api is the HTTP face of the controller: the JSON API under /api/v1/, the health checks, the metrics page and
// a probe page in the manner of Prometheus's blackbox_exporter.
//
// The package knows nothing of OpenFlow. What it shows it asks of a [Backend], and what the backend cannot do it says
// with a [Problem], which is rendered as an RFC 9457 problem document. The types of the JSON objects are exported,
// because the command line client reads the same ones.
package api
