package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
)

// The bundle is what `npm run build` made of dashboard/web; before that, the
// folder holds a placeholder only.
//
//go:embed all:web/dist
var bundle embed.FS

// assets are the static files, compressed once.
type assets struct {
	Script string   // address of the entry script; empty: the bundle was not built
	Theme  string   // address of the script that sets the theme before the page is painted
	Styles []string // addresses of its style sheets
	files  map[string]asset
	digest string
}

type asset struct {
	kind          string // MIME type
	plain, packed []byte
	etag          string
}

// loadAssets reads the bundle and Vite's manifest, which says what the entry is:
// https://vite.dev/guide/backend-integration
func loadAssets() (*assets, error) {
	dist, err := fs.Sub(bundle, "web/dist")
	if err != nil {
		return nil, err
	}
	a := &assets{files: map[string]asset{}}
	all := sha256.New()
	err = fs.WalkDir(dist, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || name == "placeholder.txt" || strings.HasPrefix(name, ".") {
			return err
		}
		content, err := fs.ReadFile(dist, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		all.Write(sum[:])
		kind := mime.TypeByExtension(path.Ext(name))
		if kind == "" {
			kind = "application/octet-stream"
		}
		file := asset{kind: kind, plain: content, etag: `"` + hex.EncodeToString(sum[:8]) + `"`}
		if packed := pack(content); len(packed) < len(content) {
			file.packed = packed
		}
		a.files[name] = file
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("static files: %w", err)
	}
	a.digest = hex.EncodeToString(all.Sum(nil)[:8])
	return a, a.readManifest(dist)
}

func (a *assets) readManifest(dist fs.FS) error {
	raw, err := fs.ReadFile(dist, ".vite/manifest.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("static files: %w", err)
	}
	var manifest map[string]struct {
		File    string   `json:"file"`
		Name    string   `json:"name"`
		CSS     []string `json:"css"`
		IsEntry bool     `json:"isEntry"`
	}
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return fmt.Errorf("manifest of the static files: %w", err)
	}
	for _, chunk := range manifest {
		if !chunk.IsEntry {
			continue
		}
		if strings.HasSuffix(chunk.File, ".css") {
			a.Styles = append(a.Styles, "/static/"+chunk.File)
			continue
		}
		if chunk.Name == "theme" {
			a.Theme = "/static/" + chunk.File
			continue
		}
		a.Script = "/static/" + chunk.File
		for _, css := range chunk.CSS {
			a.Styles = append(a.Styles, "/static/"+css)
		}
	}
	slices.Sort(a.Styles)
	return nil
}

// ServeHTTP serves a file. Names carry a hash of what is in them, so a browser
// may keep them for good.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := a.files[strings.TrimPrefix(r.URL.Path, "/static/")]
	if !ok {
		http.Error(w, "no such file", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", file.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", file.etag)
	if matches(r, file.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := file.plain
	if file.packed != nil && acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = file.packed
	}
	send(w, r, http.StatusOK, body)
}

// digest names the build: what a page is made with besides the data.
func (s *Server) digest() string {
	sum := sha256.New()
	for _, files := range []embed.FS{templateFiles, catalogueFiles} {
		// Embedded files can be walked and read.
		_ = fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				content, _ := files.ReadFile(name)
				sum.Write(content)
			}
			return err
		})
	}
	fmt.Fprint(sum, s.assets.digest, s.Sensitive, s.Spec.Digest(), s.Spec.License, s.Spec.Attribution, s.Spec.Breaks, s.Spec.Boundaries)
	return hex.EncodeToString(sum.Sum(nil)[:6])
}

// pack compresses; nil when it cannot.
func pack(content []byte) []byte {
	var b bytes.Buffer
	w := newGzip(&b, gzipBest)
	if _, err := w.Write(content); err != nil || w.Close() != nil {
		return nil
	}
	return b.Bytes()
}
