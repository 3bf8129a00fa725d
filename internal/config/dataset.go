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

// Spec opens the configured dataset, for what is about one. PADRON_DATASET may
// name several, for a worker: then the error says how to choose.
func (c Config) Spec() (*dataset.Spec, error) {
	all, err := c.Specs()
	if err != nil {
		return nil, err
	}
	if len(all) > 1 {
		return nil, fmt.Errorf("PADRON_DATASET names %d datasets (%s): choose one with --dataset", len(all), names(all))
	}
	return all[0], nil
}

// Specs opens the datasets that PADRON_DATASET names, in its order: those that a
// worker with these settings serves. It is a list with commas; each of its items
// is the name of an embedded spec, the path of a YAML file, a folder of such
// files, or what people paste from a portal, an id (g8m3-pdis) or the address of
// one of the dataset's pages. An id or address selects the embedded spec of that
// dataset; for one that no embedded spec describes, the error says what to do.
func (c Config) Specs() ([]*dataset.Spec, error) {
	if spec := c.chosen(); spec != nil {
		return []*dataset.Spec{spec}, nil
	}
	items := []string{c.Dataset}
	if !isFile(c.Dataset) { // whose name may have a comma
		items = strings.Split(c.Dataset, ",")
	}
	var all []*dataset.Spec
	for _, item := range items {
		opened, err := c.open(strings.TrimSpace(item))
		if err != nil {
			return nil, err
		}
		for _, spec := range opened {
			if slices.ContainsFunc(all, func(other *dataset.Spec) bool { return other.Name == spec.Name }) {
				return nil, fmt.Errorf("PADRON_DATASET names the dataset %s twice: leave one out, or rename it", spec.Name)
			}
			all = append(all, spec)
		}
	}
	return all, nil
}

// chosen is the dataset that a flag names among those of the environment; nil
// when it names none of them.
func (c Config) chosen() *dataset.Spec {
	if c.among == "" || c.among == c.Dataset || strings.ContainsAny(c.Dataset, `/\.,`) {
		return nil
	}
	all, err := Config{Dataset: c.among, PortalURL: c.PortalURL}.Specs()
	if err != nil {
		return nil // the flag may name one that has nothing to do with them
	}
	if i := slices.IndexFunc(all, func(s *dataset.Spec) bool { return s.Name == c.Dataset }); i >= 0 {
		return all[i]
	}
	return nil
}

// names lists datasets for an error.
func names(specs []*dataset.Spec) string {
	var all []string
	for _, s := range specs {
		all = append(all, s.Name)
	}
	return strings.Join(all, ", ")
}

// open opens one item of the list: a folder may hold several datasets.
func (c Config) open(item string) ([]*dataset.Spec, error) {
	if item == "" {
		return nil, errors.New("PADRON_DATASET: has an empty item: list names or paths of specs, with commas between them")
	}
	paths := []string{item}
	if info, err := os.Stat(item); err == nil && info.IsDir() && !slices.Contains(dataset.Names(), item) {
		if paths, err = specFiles(item); err != nil {
			return nil, err
		}
	}
	var all []*dataset.Spec
	for _, path := range paths {
		spec, err := c.openOne(path)
		if err != nil {
			return nil, err
		}
		all = append(all, spec)
	}
	slices.SortFunc(all, func(a, b *dataset.Spec) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// specFiles lists the specs in a folder.
func specFiles(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("PADRON_DATASET: %w", err)
	}
	var paths []string
	for _, e := range entries {
		if isSpec(e.Name()) && !e.IsDir() {
			paths = append(paths, filepath.Join(folder, e.Name()))
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("PADRON_DATASET: the folder %s has no spec: put a .yaml file there for each dataset", folder)
	}
	return paths, nil
}

// openOne opens a dataset that is not in a folder.
func (c Config) openOne(given string) (*dataset.Spec, error) {
	if slices.Contains(dataset.Names(), given) {
		return dataset.Open(given)
	}
	if isFile(given) {
		if !strings.ContainsAny(given, `/\.`) {
			given = "./" + given
		}
		return dataset.Open(given)
	}
	base, id, err := socrata.ParseAddress(given)
	if err != nil {
		if strings.Contains(given, "://") {
			return nil, fmt.Errorf("PADRON_DATASET: %w", err)
		}
		return dataset.Open(given) // its error lists the names
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
		return nil, fmt.Errorf("no known dataset is published on %s; known datasets: %s; for another one give the path of a spec",
			base, strings.Join(dataset.Names(), ", "))
	}
	return nil, fmt.Errorf("no known dataset has the id %s; known ids: %s; for another dataset give the path of a spec",
		id, strings.Join(known, ", "))
}

// isFile reports whether a setting is the path of a file: one that exists, or
// has the extension of a spec.
func isFile(s string) bool {
	if strings.Contains(s, "://") {
		return false
	}
	if isSpec(s) && !strings.Contains(s, ",") {
		return true
	}
	_, err := os.Stat(s)
	return !errors.Is(err, os.ErrNotExist)
}

// isSpec reports whether a file's name is that of a spec.
func isSpec(name string) bool {
	extension := filepath.Ext(name)
	return extension == ".yaml" || extension == ".yml"
}

// publishes reports whether the dataset is found under a base URL: at the
// spec's host, at one it moved from, or at PADRON_PORTAL_URL. An id alone has
// no base URL and may belong to any dataset.
func (c Config) publishes(base string, spec *dataset.Spec) bool {
	if base == "" || base == strings.TrimSuffix(strings.ToLower(c.PortalURL), "/") {
		return true
	}
	u, err := url.Parse(base)
	return err == nil && (u.Host == spec.Portal.Host || slices.Contains(spec.Portal.FormerHosts, u.Host))
}

// differences returns the number of characters in which two ids of the same
// length differ.
func differences(a, b string) int {
	n := 0
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}
