package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/config/spelling"
)

const apiPrefix = "/api/v1"

// maxCandidates is how many names the problem about an unknown one lists.
const maxCandidates = 10

// criteria filter a list. Empty ones match all.
type criteria struct {
	name, sw, network string
	table             int
}

// query is the query string of one kind of list.
type query interface{ criteria() criteria }

type nameQuery struct {
	Name string `query:"name" doc:"Only the object of that name" example:"blue"`
}

func (q nameQuery) criteria() criteria { return criteria{name: q.Name} }

type placeQuery struct {
	Name   string `query:"name" doc:"Only objects of that name" example:"host1:vif1"`
	Switch string `query:"switch" doc:"Only those of the switch of that name" example:"host1"`
}

func (q placeQuery) criteria() criteria { return criteria{name: q.Name, sw: q.Switch} }

type memberQuery struct {
	Name    string `query:"name" doc:"Only objects of that name" example:"vm1"`
	Switch  string `query:"switch" doc:"Only those of the switch of that name" example:"host1"`
	Network string `query:"network" doc:"Only those in the network of that name" example:"blue"`
}

func (q memberQuery) criteria() criteria {
	return criteria{name: q.Name, sw: q.Switch, network: q.Network}
}

type flowQuery struct {
	Name   string `query:"name" doc:"As switch" example:"host1"`
	Switch string `query:"switch" doc:"Only flows of the switch of that name" example:"host1"`
	Table  int    `query:"table" minimum:"-1" maximum:"254" default:"-1" doc:"Only flows of that table; -1 for all" example:"4"`
}

func (q flowQuery) criteria() criteria {
	return criteria{name: q.Name, sw: q.Switch, table: q.Table}
}

type meshQuery struct {
	Name    string `query:"name" doc:"As probe" example:"blue-mesh"`
	Probe   string `query:"probe" doc:"Only the pairs of the probe of that name" example:"blue-mesh"`
	Network string `query:"network" doc:"Only pairs whose source is in that network" example:"blue"`
}

func (q meshQuery) criteria() criteria {
	return criteria{name: cmp.Or(q.Name, q.Probe), network: q.Network}
}

// resource describes one kind of object. Every object has at least one name; the first is the one shown as a candidate.
type resource[T any] struct {
	kind     string // plural, in the path: "switches"
	one      string // singular, in messages: "switch"
	doc      string
	example  T
	groups   func(context.Context) ([]string, error) // all names, where one stands for several objects
	list     func(ctx context.Context, c criteria) ([]T, error)
	names    func(*T) []string
	switches func(*T) []string
	networks func(*T) []string
	fill     func(*T) // replaces nil lists by empty ones
}

type listOutput[T any] struct{ Body []T }

type oneOutput[T any] struct{ Body T }

type nameInput struct {
	Name string `path:"name" doc:"Name of the object" example:"host1"`
}

// registerLists adds each kind of object: GET of the list, and of one object by name.
func (s *Server) registerLists() {
	b := s.Backend
	switches := resource[Switch]{
		kind: "switches", one: "switch", doc: "Bridges that are connected, configured, or were connected before.",
		example: exampleSwitch, list: ignoring(b.Switches),
		names: func(o *Switch) []string { return []string{o.Name, o.DatapathID} },
	}
	addResource[Switch, nameQuery](s, switches)
	addResource[Port, memberQuery](s, resource[Port]{
		kind: "ports", one: "port", doc: "Ports of the switches, with what each carries. A name is SWITCH:PORT, or " +
			"PORT where only one switch has it.",
		example: examplePort, list: ignoring(b.Ports),
		names:    func(o *Port) []string { return []string{o.Switch + ":" + o.Name, o.Name} },
		switches: func(o *Port) []string { return []string{o.Switch} },
		networks: func(o *Port) []string { return o.Networks },
		fill:     func(o *Port) { fillList(&o.Networks) },
	})
	addResource[Host, memberQuery](s, resource[Host]{
		kind: "hosts", one: "host", doc: "Machines behind edge ports. A name is the host's own, one of its IPs, or " +
			"its MAC.",
		example: exampleHost, list: ignoring(b.Hosts),
		names:    func(o *Host) []string { return append([]string{o.Name, o.MAC}, o.IPs...) },
		switches: func(o *Host) []string { return []string{o.Switch} },
		networks: func(o *Host) []string { return []string{o.Network} },
		fill:     func(o *Host) { fillList(&o.IPs) },
	})
	addResource[Link, placeQuery](s, resource[Link]{
		kind: "links", one: "link", doc: "Connections between switches, over wires and tunnels.",
		example: exampleLink, list: ignoring(b.Links),
		names:    func(o *Link) []string { return []string{o.Name, LinkName(o.A, o.B), LinkName(o.B, o.A)} },
		switches: func(o *Link) []string { return []string{o.A.Switch, o.B.Switch} },
		fill: func(o *Link) {
			def(&o.Name, LinkName(o.A, o.B))
		},
	})
	addResource[Network, nameQuery](s, resource[Network]{
		kind: "networks", one: "network", doc: "Layer 2 networks.",
		example: exampleNetwork, list: ignoring(b.Networks),
		names: func(o *Network) []string { return []string{o.Name} },
	})
	addResource[Tunnel, memberQuery](s, resource[Tunnel]{
		kind: "tunnels", one: "tunnel",
		doc:     "Tunnel ports. A name is SWITCH:PORT, or PORT where only one switch has it.",
		example: exampleTunnel, list: ignoring(b.Tunnels),
		names:    func(o *Tunnel) []string { return []string{o.Switch + ":" + o.Port, o.Port} },
		switches: func(o *Tunnel) []string { return []string{o.Switch} },
		networks: func(o *Tunnel) []string { return o.Networks },
		fill: func(o *Tunnel) {
			fillList(&o.Networks)
			def(&o.Name, o.Switch+":"+o.Port)
		},
	})
	addResource[Flow, flowQuery](s, resource[Flow]{
		kind: "flows", one: "switch", doc: "Rules in the switches. The name is that of a switch.",
		example: exampleFlow, groups: switches.all,
		list: func(ctx context.Context, c criteria) ([]Flow, error) {
			return b.Flows(ctx, FlowFilter{Switch: cmp.Or(c.sw, c.name), Table: c.table})
		},
		names:    func(o *Flow) []string { return []string{o.Switch} },
		switches: func(o *Flow) []string { return []string{o.Switch} },
	})
	probes := resource[probespec.Status]{
		kind: "probes", one: "probe", doc: "Continuous probes of the configuration.",
		example: exampleProbe, list: ignoring(b.Probes),
		names: func(o *probespec.Status) []string { return []string{o.Name} },
	}
	addResource[probespec.Status, nameQuery](s, probes)
	addResource[probespec.MeshEntry, meshQuery](s, resource[probespec.MeshEntry]{
		kind: "mesh", one: "probe", doc: "The newest verdict of each pair that is probed continuously. The name is " +
			"that of a probe.",
		example: exampleMesh, list: ignoring(b.Mesh), groups: probes.all,
		names:    func(o *probespec.MeshEntry) []string { return []string{o.Probe} },
		networks: func(o *probespec.MeshEntry) []string { return []string{o.Network} },
	})
}

// ignoring adapts a list that the backend does not filter.
func ignoring[T any](list func(context.Context) ([]T, error)) func(context.Context, criteria) ([]T, error) {
	return func(ctx context.Context, _ criteria) ([]T, error) { return list(ctx) }
}

// fillList replaces nil by an empty list, so that JSON has an array and not null.
func fillList(list *[]string) {
	if *list == nil {
		*list = []string{}
	}
}

// addResource adds the two operations of one kind of object.
func addResource[T any, Q query](s *Server, res resource[T]) {
	path := apiPrefix + "/" + res.kind
	huma.Register(s.api, s.operation(http.MethodGet, path, "list-"+res.kind, "state", "List "+res.kind, res.doc,
		example([]T{res.example})), func(ctx context.Context, q *Q) (*listOutput[T], error) {
		c := (*q).criteria()
		all, err := res.list(ctx, c)
		if err != nil {
			return nil, s.listProblem(res.kind, err)
		}
		return &listOutput[T]{Body: res.filter(all, c)}, nil
	})

	named := func(summary string, value any) huma.Operation {
		return s.operation(http.MethodGet, path+"/{name}", "get-"+res.kind, "state", summary, res.doc, example(value))
	}
	if res.groups != nil {
		summary := fmt.Sprintf("List the %s of one %s", res.kind, res.one)
		handler := func(ctx context.Context, in *nameInput) (*listOutput[T], error) {
			found, err := lookUp(ctx, s, res, in.Name)
			return &listOutput[T]{Body: found}, err
		}
		huma.Register(s.api, named(summary, []T{res.example}), handler)
	} else {
		handler := func(ctx context.Context, in *nameInput) (*oneOutput[T], error) {
			found, err := lookUp(ctx, s, res, in.Name)
			if err != nil {
				return nil, err
			}
			if len(found) > 1 {
				return nil, ambiguousName(res.one, in.Name, res.shown(found)...)
			}
			return &oneOutput[T]{Body: found[0]}, nil
		}
		huma.Register(s.api, named("Get one of the "+res.kind+" by name", res.example), handler)
	}
}

// shown returns the name that each object is shown by.
func (res *resource[T]) shown(list []T) []string {
	names := make([]string, len(list))
	for i := range list {
		names[i] = res.names(&list[i])[0]
	}
	return names
}

// all returns the name of every object.
func (res *resource[T]) all(ctx context.Context) ([]string, error) {
	list, err := res.list(ctx, criteria{})
	return res.shown(list), err
}

// listProblem returns the problem that an error of the backend is, or logs the error.
func (s *Server) listProblem(kind string, err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	s.Log.WithError(err).WithField("list", kind).Error("http: request failed")
	return internal(err)
}

// lookUp returns the objects of a name, or a problem with candidates when there is none.
func lookUp[T any](ctx context.Context, s *Server, res resource[T], name string) ([]T, error) {
	c := criteria{name: name, table: -1}
	all, err := res.list(ctx, c)
	if err != nil {
		return nil, s.listProblem(res.kind, err)
	}
	found := res.filter(all, c)
	if len(found) > 0 {
		return found, nil
	}
	names := res.shown(all)
	if res.groups != nil {
		if names, err = res.groups(ctx); err != nil {
			return nil, s.listProblem(res.kind, err)
		}
		if slices.Contains(names, name) { // it exists and has no objects
			return found, nil
		}
	}
	p := UnknownName(res.one, name, spelling.Nearest(name, names, maxCandidates)...)
	p.Status, p.Title = http.StatusNotFound, http.StatusText(http.StatusNotFound)
	return nil, p
}

// filter returns the objects that match, filled. It never returns nil.
func (res *resource[T]) filter(all []T, c criteria) []T {
	found := make([]T, 0, len(all))
	for _, o := range all {
		if matches(res.names, &o, c.name) && matches(res.switches, &o, c.sw) && matches(res.networks, &o, c.network) {
			if res.fill != nil {
				res.fill(&o)
			}
			found = append(found, o)
		}
	}
	return found
}

// matches reports whether one of the object's values is the wanted one. MACs and IPv6 addresses match in any case.
func matches[T any](values func(*T) []string, o *T, want string) bool {
	if want == "" || values == nil {
		return true
	}
	return slices.ContainsFunc(values(o), func(v string) bool {
		return v == want || strings.Contains(want, ":") && strings.EqualFold(v, want)
	})
}
