package config

import "fmt"

func (r *reader) openflow(c *Config, v value) {
	o := r.object(v, "listen", "connect", "role", "tls")
	if l, ok := o["listen"]; ok {
		c.OpenFlow.Listen = r.endpoints(l, parseListen)
	}
	c.OpenFlow.Connect = r.endpoints(o["connect"], parseConnect)
	if role, ok := r.text(o["role"]); ok {
		c.OpenFlow.Role = Role(role)
		if c.OpenFlow.Role != RoleMaster && c.OpenFlow.Role != RoleEqual {
			r.errorf(o["role"], "%s is not a role that Eosin can take; use %s or %s", quote(role), RoleMaster,
				RoleEqual)
		}
	}
	if tls, ok := o["tls"]; ok {
		r.tlsSeen = true
		c.OpenFlow.TLS = r.tls(tls, "TLS is mutual and needs cert, key and ca, as made by ovs-pki", "cert", "key", "ca")
	}
}

// tls reads the names of TLS files and reports missing required ones, unless an unknown key is the likely cause.
func (r *reader) tls(v value, needs string, required ...string) TLS {
	mark := len(r.errors)
	files := r.object(v, "cert", "key", "ca")
	mistyped := len(r.errors) > mark
	for _, key := range required {
		if _, ok := files[key]; !ok && !mistyped {
			r.errorf(v, "%s is missing; %s", key, needs)
		}
	}
	return TLS{Cert: r.fileName(files["cert"]), Key: r.fileName(files["key"]), CA: r.fileName(files["ca"])}
}

func (r *reader) ovsdb(c *Config, v value) {
	c.OVSDB.Connect = r.endpoints(r.object(v, "connect")["connect"], parseConnect)
}

// endpoints reads a list of addresses without duplicates.
func (r *reader) endpoints(v value, parse func(string) (Endpoint, error)) []Endpoint {
	var list []Endpoint
	seen := map[Endpoint]bool{}
	items, _ := r.list(v)
	for _, item := range items {
		s, ok := r.text(item)
		if !ok {
			continue
		}
		e, err := parse(s)
		switch {
		case err != nil:
			r.errorf(item, "%w", err)
		case seen[e]:
			r.errorf(item, "%s is written twice; remove one", quote(s))
		default:
			seen[e] = true
			list = append(list, e)
			if e.Kind == SSL {
				r.sslUsers = append(r.sslUsers, item)
			}
		}
	}
	return list
}

// tlsUsers refuses ssl endpoints without a TLS section.
func (r *reader) tlsUsers() {
	for _, v := range r.sslUsers {
		if !r.tlsSeen {
			r.errorf(v, "ssl needs openflow.tls; add tls: {cert: FILE, key: FILE, ca: FILE} to openflow, or use tcp")
		}
	}
}

// WithOpenFlowListen returns a copy that listens on other endpoints, for a command line flag.
func (c *Config) WithOpenFlowListen(endpoints ...string) (*Config, error) {
	changed := *c
	changed.OpenFlow.Listen = nil
	for _, s := range endpoints {
		e, err := parseListen(s)
		if err != nil {
			return nil, err
		}
		if e.Kind == SSL && c.OpenFlow.TLS.IsZero() {
			return nil, fmt.Errorf("%s: ssl needs openflow.tls in the config file", quote(s))
		}
		changed.OpenFlow.Listen = append(changed.OpenFlow.Listen, e)
	}
	return &changed, nil
}
