package southbound

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/eosin-sdn/eosin/controller/pki"
	"github.com/eosin-sdn/eosin/controller/switches"
	"github.com/eosin-sdn/eosin/openflow/ofconn"
)

// tlsHandshake does the handshake of TLS, if the connection has one, until a deadline. The error says what to change on
// the switch.
func tlsHandshake(ctx context.Context, nc net.Conn, deadline time.Time) error {
	t, ok := nc.(*tls.Conn)
	if !ok {
		return nil
	}
	if err := t.SetDeadline(deadline); err != nil {
		return err
	}
	if err := t.HandshakeContext(ctx); err != nil {
		if ctx.Err() != nil {
			return switches.ErrStopping
		}
		return tlsReason(err)
	}
	return t.SetDeadline(time.Time{})
}

// tlsReason turns what ended a handshake of TLS into what an operator can act on.
func tlsReason(err error) error {
	var record tls.RecordHeaderError
	var cert *pki.CertificateError
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var remote *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errNoHandshake
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w in the handshake of TLS", ofconn.ErrPeerClosed)
	case errors.As(err, &record):
		if v := record.RecordHeader[0]; v >= 1 && v <= 6 { // of OpenFlow
			return errors.New("it speaks plain OpenFlow where TLS is spoken: " +
				"the bridge's controller must be ssl:HOST:PORT, or pssl:PORT where the bridge listens")
		}
		what := cmp.Or(ofconn.Protocol(record.RecordHeader[:]), "something else")
		return fmt.Errorf("it speaks %s where TLS is spoken", what)
	case errors.Is(err, pki.ErrNoCertificate), strings.Contains(err.Error(), "didn't provide a certificate"):
		return fmt.Errorf("%w: give the switch one with `ovs-vsctl set-ssl KEY CERTIFICATE CA`", pki.ErrNoCertificate)
	case errors.As(err, &cert) && errors.As(err, &unknown):
		return fmt.Errorf("%w; openflow.tls.ca does not hold the authority that issued it", err)
	case errors.As(err, &cert) && errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("%w; give the switch a new one with `ovs-vsctl set-ssl KEY CERTIFICATE CA`", err)
	case errors.As(err, &remote) && remote.Op == "remote error" && aboutCertificate(remote):
		return fmt.Errorf("%w: %s", err, notAccepted)
	case errors.As(err, &remote) && remote.Op == "local error" && strings.Contains(err.Error(), "bad record MAC"):
		// OpenSSL says in the clear that it does not believe us, where TLS 1.3 has long been encrypting (RFC 8446
		// section 6.2).
		return fmt.Errorf("it ended the handshake of TLS (%w): most likely %s", err, notAccepted)
	}
	return err
}

// notAccepted is what to do about a switch that does not accept our certificate.
const notAccepted = "it does not accept our certificate, openflow.tls.cert, " +
	"whose authority must be in the CA file of the switch: `ovs-vsctl get-ssl` names that"

// aboutCertificate reports whether an alert is about the certificate that we show (RFC 8446 section 6.2). Its type is
// private to crypto/tls.
func aboutCertificate(alert error) bool {
	text := alert.Error()
	return strings.Contains(text, "certificate") && !strings.Contains(text, "certificate required")
}

// plainReason is for a listener without TLS.
func plainReason(err error) error {
	var foreign *ofconn.ForeignError
	if errors.As(err, &foreign) && foreign.Protocol == ofconn.TLS {
		return fmt.Errorf("%w: the bridge's controller must be tcp:HOST:PORT here, "+
			"or ssl:HOST:PORT must be in openflow.listen", err)
	}
	return err
}

// PeerCertificate returns the certificate of the peer of a session, nil without TLS, and the connection's TLS.
func PeerCertificate(nc net.Conn) (*x509.Certificate, *tls.ConnectionState) {
	t, ok := nc.(*tls.Conn)
	if !ok {
		return nil, nil
	}
	state := t.ConnectionState()
	if len(state.PeerCertificates) == 0 {
		return nil, nil
	}
	return state.PeerCertificates[0], &state
}

// certificateName returns the common name of the peer's certificate, "" without TLS. The handshake must be done.
func certificateName(nc net.Conn) string {
	if cert, _ := PeerCertificate(nc); cert != nil {
		return cert.Subject.CommonName
	}
	return ""
}
