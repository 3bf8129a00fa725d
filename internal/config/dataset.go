package config

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"padron/internal/dataset"
	"padron/internal/socrata"
)

// Spec opens the configured dataset: the name of an embedded spec, the path of
// a YAML file, or what people paste from a portal, an id (g8m3-pdis) or the
// address of one of the dataset's pages. An id or address selects the embedded
// spec of that dataset; one that no embedded spec describes is an error that
// says what to do.
func (c Config) Spec() (*dataset.Spec, error) {
	if slices.Contains(dataset.Names(), c.Dataset) || isFile(c.Dataset) {
		return dataset.Open(c.Dataset)
	}
	base, id, err := socrata.ParseAddress(c.Dataset)
	if err != nil {
		if strings.Contains(c.Dataset, "://") {
			return nil, fmt.Errorf("PADRON_DATASET: %w", err)
		}
		return dataset.Open(c.Dataset) // its error lists the names
	}
	var known []string
	for _, name := range dataset.Names() {
		spec, err := dataset.Open(name)
		if err != nil {
			return nil, err
		}
		if !c.publishes(base, spec) {
			continue
		}
		if spec.Portal.ID == id {
			return spec, nil
		}
		if differences(spec.Portal.ID, id) == 1 {
			return nil, fmt.Errorf("no known dataset has the id %s: did you mean %s (%s)?", id, spec.Portal.ID, name)
		}
		known = append(known, spec.Portal.ID+" ("+name+")")
	}
	if len(known) == 0 {
		return nil, fmt.Errorf("no known dataset is published on %s; known datasets: %s; for another one give the path of a spec", base, strings.Join(dataset.Names(), ", "))
	}
	return nil, fmt.Errorf("no known dataset has the id %s; known ids: %s; for another dataset give the path of a spec", id, strings.Join(known, ", "))
}

// Specs are the datasets that a worker with these settings runs: the configured
// one first, and those that come with Padron.
func (c Config) Specs() ([]*dataset.Spec, error) {
	configured, err := c.Spec()
	if err != nil {
		return nil, err
	}
	all := []*dataset.Spec{configured}
	for _, name := range dataset.Names() {
		if name == configured.Name {
			continue // a configured file wins over an embedded spec of the same name
		}
		spec, err := dataset.Open(name)
		if err != nil {
			return nil, err
		}
		all = append(all, spec)
	}
	return all, nil
}

// isFile says whether a setting can only mean a file: one that is there, or
// that is called like a spec.
func isFile(s string) bool {
	if strings.Contains(s, "://") {
		return false
	}
	if extension := filepath.Ext(s); extension == ".yaml" || extension == ".yml" {
		return true
	}
	_, err := os.Stat(s)
	return !errors.Is(err, os.ErrNotExist)
}

// publishes says whether the dataset is found under a base URL: at the spec's
// host, at one it moved from, or at PADRON_PORTAL_URL. An id alone has no base
// URL and may be any dataset's.
func (c Config) publishes(base string, spec *dataset.Spec) bool {
	if base == "" || base == strings.TrimSuffix(strings.ToLower(c.PortalURL), "/") {
		return true
	}
	u, err := url.Parse(base)
	return err == nil && (u.Host == spec.Portal.Host || slices.Contains(spec.Portal.FormerHosts, u.Host))
}

// differences counts the places where two ids, which are equally long, differ.
func differences(a, b string) int {
	n := 0
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}
