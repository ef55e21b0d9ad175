package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Load reads and checks a file. An error about its content is an Errors; one from the file system is wrapped.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	defer f.Close()
	// One byte too many is enough for Parse to refuse the file.
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	return Parse(path, data)
}

// Parse checks the content of a file. Relative file names inside are resolved against the folder of name. The error is
// an Errors with everything that is wrong, sorted by line, or with the one thing that keeps the text from being read as
// YAML. Empty content gives Default.
func Parse(name string, data []byte) (*Config, error) {
	r := &reader{file: name, names: map[string]value{}, owners: map[[2]string]owner{}}
	c := Default()
	c.File = name
	if root, ok := r.parse(data); ok {
		r.config(c, root)
	}
	if errs := r.sorted(r.errors); len(errs) > 0 {
		if r.dropped > 0 {
			errs = append(errs, Error{name, errs[len(errs)-1].Line, fmt.Sprintf("and %d errors more", r.dropped)})
		}
		return nil, errs
	}
	c.Warnings = r.sorted(r.warnings)
	c.Files = r.files
	return c, nil
}

// config reads the sections in the order in which they need each other: networks before what names them.
func (r *reader) config(c *Config, root value) {
	top := r.object(root, "openflow", "http", "ovsdb", "networks", "defaults", "switches", "learning", "limits",
		"hosts", "probes", "probing", "audit")
	r.networks(c, top["networks"])
	r.defaults(c, top["defaults"])
	r.openflow(c, top["openflow"])
	r.http(c, top["http"])
	r.ovsdb(c, top["ovsdb"])
	r.tlsUsers()
	r.switches(c, top["switches"])
	r.learning(c, top["learning"])
	r.limits(c, top["limits"])
	r.hosts(c, top["hosts"])
	r.probes(c, top["probes"])
	r.probing(c, top["probing"])
	r.audit(c, top["audit"])
}

// fileName resolves a relative name against the folder of the config file.
func (r *reader) fileName(v value) string {
	s, ok := r.text(v)
	switch {
	case !ok:
		return ""
	case s == "":
		r.errorf(v, "is empty; write the name of a file")
		return ""
	case !filepath.IsAbs(s):
		s = filepath.Join(filepath.Dir(r.file), s)
	}
	r.files = append(r.files, NamedFile{Key: v.path, Path: s, Line: v.line})
	return s
}
