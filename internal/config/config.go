package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	sdklog "go.temporal.io/sdk/log"

	"padron/internal/socrata"
	"padron/internal/webhook"
)

// Config holds every setting of Padron. The settings of Temporal's client
// (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_*, …)
// are read in Temporal by the SDK's own package envconfig.
type Config struct {
	// MongoURI says where MongoDB is. It may hold a password: never print it.
	MongoURI string `env:"MONGODB_URI" envDefault:"mongodb://127.0.0.1:27017"`
	// MongoDatabase is the prefix of the databases: <prefix>_<dataset>.
	MongoDatabase string `env:"MONGODB_DATABASE" envDefault:"padron"`
	// Dataset names the datasets: a list of names, paths, folders, ids and
	// addresses, with commas (see Specs).
	Dataset string `env:"PADRON_DATASET" envDefault:"sf-business"`
	// PortalURL replaces the host that the spec names; empty keeps it.
	PortalURL string `env:"PADRON_PORTAL_URL"`
	// AppToken is the Socrata application token. A secret.
	AppToken string `env:"PADRON_APP_TOKEN"`
	// UserAgent is what the portal is told who asks: a name with a contact, such as
	// an address or a web page, where bot checks want one.
	UserAgent string `env:"PADRON_USER_AGENT"`
	// Landing is "gridfs" or "dir:PATH".
	Landing string `env:"PADRON_LANDING" envDefault:"gridfs"`
	// KeepCrawls is how many crawls' raw pages are kept.
	KeepCrawls int `env:"PADRON_KEEP_CRAWLS" envDefault:"3"`
	// PageSize is how many rows one page request asks for; 50,000 is what
	// portals grant at most.
	PageSize int `env:"PADRON_PAGE_SIZE" envDefault:"50000"`
	// RecrawlAfter is how long a run waits before it crawls again a portal that
	// moved while it was read; copies of a portal agree within a minute.
	RecrawlAfter time.Duration `env:"PADRON_RECRAWL_AFTER" envDefault:"1m"`
	// TaskQueue begins the names of the task queues: each dataset has its own
	// (workflows.Queue), so that workers of different datasets do not meet.
	TaskQueue string `env:"PADRON_TASK_QUEUE" envDefault:"padron"`
	// RequestsPerSecond bounds page requests to the portal, for each dataset over
	// all workers.
	RequestsPerSecond float64 `env:"PADRON_REQUESTS_PER_SECOND" envDefault:"4"`
	// WebhookURL receives messages about failures and recoveries; empty: no
	// messages. A secret: such addresses often hold a token.
	WebhookURL string `env:"PADRON_WEBHOOK_URL"`
	// WebhookSecret signs the messages; empty: they are not signed. A secret.
	WebhookSecret string `env:"PADRON_WEBHOOK_SECRET"`
	// Workers are the settings of a worker process beyond these.
	Workers Workers
	// HealthAddr is where the worker serves /healthz, /readyz and /metrics.
	HealthAddr string `env:"PADRON_HEALTH_ADDR" envDefault:"127.0.0.1:9090"`
	// Dashboard says where and to whom the dashboard is served.
	Dashboard Dashboard
	// Pprof adds /debug/pprof/ to the worker's health endpoint.
	Pprof bool `env:"PADRON_PPROF"`
	// LogLevel is debug, info, warn or error.
	LogLevel slog.Level `env:"PADRON_LOG_LEVEL" envDefault:"info"`

	environment map[string]string
	among       string // what PADRON_DATASET is without the flag that overrides it
}

// maxUserAgent is as long a name as any server takes.
const maxUserAgent = 200

// databaseName is what MongoDB accepts on every platform, short enough that
// "_<dataset>" still fits its 63 bytes.
var databaseName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// Load reads the configuration from the environment with overrides (by variable
// name, from flags) on top, and checks it. The error names the variable that is
// wrong and what it should be.
func Load(overrides map[string]string) (Config, error) {
	environment := env.ToMap(os.Environ())
	among := environment["PADRON_DATASET"]
	for name, value := range overrides {
		environment[name] = value
	}
	c := Config{environment: environment, among: among}
	if err := env.ParseWithOptions(&c, env.Options{Environment: environment}); err != nil {
		return Config{}, byVariable(err)
	}
	return c, c.check()
}

// byVariable turns the parser's error, which names Go fields, into one that
// names variables.
func byVariable(err error) error {
	var wrong env.AggregateError
	if !errors.As(err, &wrong) {
		return err
	}
	var parse env.ParseError
	if errors.As(wrong.Errors[0], &parse) {
		if parse.Name == "RecrawlAfter" {
			return errors.New("PADRON_RECRAWL_AFTER: must be a duration such as 1m or 30s")
		}
		name := map[string]string{
			"KeepCrawls": "PADRON_KEEP_CRAWLS", "PageSize": "PADRON_PAGE_SIZE",
			"RequestsPerSecond": "PADRON_REQUESTS_PER_SECOND", "LogLevel": "PADRON_LOG_LEVEL",
		}[parse.Name]
		if number, ok := workerNumbers[parse.Name]; ok {
			name = number
		}
		if variable, ok := switches[parse.Name]; ok {
			return fmt.Errorf("%s: must be 1 or 0", variable)
		}
		if errors.Is(parse.Err, strconv.ErrSyntax) || errors.Is(parse.Err, strconv.ErrRange) {
			return fmt.Errorf("%s: must be a number", name)
		}
		return fmt.Errorf("%s: must be debug, info, warn or error", name)
	}
	return err
}

// switches maps boolean fields to the variables that set them.
var switches = map[string]string{
	"Pprof": "PADRON_PPROF", "Public": "PADRON_DASHBOARD_PUBLIC", "Sensitive": "PADRON_DASHBOARD_SENSITIVE",
}

func (c Config) check() error {
	if u, err := url.Parse(c.MongoURI); err != nil || (u.Scheme != "mongodb" && u.Scheme != "mongodb+srv") {
		return errors.New("MONGODB_URI: must look like mongodb://HOST:PORT/ or mongodb+srv://HOST/")
	}
	if !databaseName.MatchString(c.MongoDatabase) {
		return fmt.Errorf("MONGODB_DATABASE: %q is not a database prefix; use 1 to 32 letters, digits, - or _", c.MongoDatabase)
	}
	if c.PortalURL != "" {
		u, err := url.Parse(c.PortalURL)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || strings.Trim(u.Path, "/") != "" {
			return fmt.Errorf("PADRON_PORTAL_URL: %q is not a portal's address; it must look like https://data.sf.gov", c.PortalURL)
		}
	}
	if strings.ContainsFunc(c.AppToken, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("PADRON_APP_TOKEN: has white space or other characters that no token has")
	}
	if len(c.UserAgent) > maxUserAgent || strings.ContainsFunc(c.UserAgent, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fmt.Errorf("PADRON_USER_AGENT: must be at most %d characters of ASCII, such as padron (data@example.org)", maxUserAgent)
	}
	if kind, path, _ := strings.Cut(c.Landing, ":"); c.Landing != "gridfs" && (kind != "dir" || path == "") {
		return fmt.Errorf("PADRON_LANDING: %q; must be gridfs or dir:PATH", c.Landing)
	}
	if c.KeepCrawls < 1 {
		return fmt.Errorf("PADRON_KEEP_CRAWLS: %d; at least 1 crawl must be kept", c.KeepCrawls)
	}
	if c.RecrawlAfter < 0 || c.RecrawlAfter > time.Hour {
		return fmt.Errorf("PADRON_RECRAWL_AFTER: %s; must be 0s to 1h", c.RecrawlAfter)
	}
	if c.PageSize < 1 || c.PageSize > socrata.MaxPage {
		return fmt.Errorf("PADRON_PAGE_SIZE: %d; must be 1 to %d", c.PageSize, socrata.MaxPage)
	}
	if c.RequestsPerSecond <= 0 {
		return fmt.Errorf("PADRON_REQUESTS_PER_SECOND: %g; must be above 0", c.RequestsPerSecond)
	}
	if c.TaskQueue == "" {
		return errors.New("PADRON_TASK_QUEUE: must not be empty")
	}
	if _, err := webhook.New(c.WebhookURL, c.WebhookSecret); errors.Is(err, webhook.ErrSecret) {
		return fmt.Errorf("PADRON_WEBHOOK_SECRET: %w", err)
	} else if err != nil {
		return fmt.Errorf("PADRON_WEBHOOK_URL: %w", err)
	}
	if err := c.Workers.check(); err != nil {
		return err
	}
	if _, _, err := net.SplitHostPort(c.HealthAddr); err != nil {
		return fmt.Errorf("PADRON_HEALTH_ADDR: %q; must look like 127.0.0.1:9090", c.HealthAddr)
	}
	if err := c.Dashboard.check(); err != nil {
		return err
	}
	return nil
}

// Temporal returns the options for Temporal's client, from TEMPORAL_* and its
// configuration file; log receives the SDK's messages.
func (c Config) Temporal(log *slog.Logger) (client.Options, error) {
	o, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{EnvLookup: lookup(c.environment)})
	if err != nil {
		return client.Options{}, fmt.Errorf("TEMPORAL_*: %w", err)
	}
	if o.HostPort == "" {
		o.HostPort = client.DefaultHostPort
	}
	if o.Namespace == "" {
		o.Namespace = client.DefaultNamespace
	}
	o.Logger = sdklog.NewStructuredLogger(log)
	return o, nil
}

// lookup lets envconfig read the environment with the flags on top.
type lookup map[string]string

func (l lookup) Environ() []string {
	all := make([]string, 0, len(l))
	for name, value := range l {
		all = append(all, name+"="+value)
	}
	return all
}

func (l lookup) LookupEnv(name string) (string, bool) {
	value, ok := l[name]
	return value, ok
}
