package temporal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"time"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/common/primitives/timestamp"
	"go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/temporal"

	"padron/deploy/dev/stack"
)

const (
	// namespaceName is the namespace that clients use by default.
	namespaceName = "default"
	clusterName   = "active"
	// clusterID identifies the cluster; any fixed value will do.
	clusterID = "5f9c6f9e-7d8c-4e8b-b9a4-6c7b3a2d1e0f"
	// historyRetention is how long the histories of finished runs are kept; the
	// server's own default is a day.
	historyRetention = 30 * 24 * time.Hour
	// startTimeout is how long the server may take until its first answer,
	// which usually takes half a second.
	startTimeout = 30 * time.Second
	// Process is the name of the server's process where it has one of its own.
	Process = "Temporal"
)

// Ports of the Temporal server's services, which talk to each other over the
// network even within one process.
const (
	portHTTP     = "temporal-http"
	portHistory  = "temporal-history"
	portMatching = "temporal-matching"
	portWorker   = "temporal-worker"
)

// Start uses the server that TEMPORAL_ADDRESS names. Without it, it starts one
// in this process, with its Web UI. ui is the Web UI's address, "" when
// unknown.
func Start(ctx context.Context, s *stack.Stack) (addr, ui string, err error) {
	given := os.Getenv("TEMPORAL_ADDRESS")
	err = s.Steps.Do("Temporal", "starting the server", func() (string, error) {
		if given != "" {
			addr = given
			if err := s.NotOwn("TEMPORAL_ADDRESS", addr); err != nil {
				return "", err
			}
			return addr + " (given by TEMPORAL_ADDRESS)", await(ctx, addr)
		}
		port := s.Take(stack.PortTemporal)
		if s.Apart {
			addr, err = startApart(s, port)
		} else {
			addr, err = StartServer(s, port)
		}
		if err != nil {
			return "", fmt.Errorf("start Temporal: %w (log: %s)", err, s.Dirs.Log("temporal"))
		}
		if err := await(ctx, addr); err != nil {
			return "", fmt.Errorf("%w (log: %s)", err, s.Dirs.Log("temporal"))
		}
		return addr + " (embedded server)", nil
	})
	if err != nil || given != "" || s.Apart {
		return addr, "", err
	}
	err = s.Steps.Do("Web UI", "starting Temporal's Web UI", func() (string, error) {
		ui, err = startUI(ctx, s, addr)
		return ui, err
	})
	return addr, ui, err
}

// await waits until the server answers and knows the namespace.
func await(ctx context.Context, addr string) error {
	deadline := time.Now().Add(startTimeout)
	for {
		err := ask(ctx, addr)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("Temporal at %s does not answer: %w", addr, err) //nolint:revive,staticcheck // a name
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func ask(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	c, err := client.DialContext(ctx, client.Options{HostPort: addr, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.CheckHealth(ctx, &client.CheckHealthRequest{})
	return err
}

// startApart is StartServer in a process of its own.
func startApart(s *stack.Stack, port int) (addr string, err error) {
	log, err := s.OpenLog("temporal")
	if err != nil {
		return "", err
	}
	return stack.Address(port), s.StartPart(Process, log, "temporal", s.Dirs.Data, s.Dirs.World, strconv.Itoa(port))
}

// StartServer starts all of Temporal's services on a SQLite file.
func StartServer(s *stack.Stack, port int) (addr string, err error) {
	sql, err := database(s.Dirs.WorldFile("temporal.db"))
	if err != nil {
		return "", err
	}
	ports, err := stack.HoldPorts(map[string]int{portHTTP: 0, portHistory: 0, portMatching: 0, portWorker: 0})
	if err != nil {
		return "", err
	}
	defer ports.Release()
	cfg := serverConfig(sql, port, ports)

	logger := log.NewZapLogger(log.BuildZapLogger(log.Config{Level: "error", OutputFile: s.Dirs.Log("temporal")}))
	authorizer, err := authorization.GetAuthorizerFromConfig(&cfg.Global.Authorization)
	if err != nil {
		return "", err
	}
	claims, err := authorization.GetClaimMapperFromConfig(&cfg.Global.Authorization, logger)
	if err != nil {
		return "", err
	}
	hosts := map[primitives.ServiceName]static.Hosts{}
	for _, name := range []primitives.ServiceName{
		primitives.FrontendService, primitives.MatchingService, primitives.HistoryService, primitives.WorkerService,
	} {
		hosts[name] = static.SingleLocalHost(stack.Address(cfg.Services[string(name)].RPC.GRPCPort))
	}
	server, err := temporal.NewServer(
		temporal.WithConfig(cfg),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(hosts),
		temporal.WithLogger(logger),
		temporal.WithAuthorizer(authorizer),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return claims }),
		temporal.WithDynamicConfigClient(dynamicconfig.StaticClient{
			// A search attribute can be used as soon as it is registered.
			dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key(): true,
			// When a worker shuts down, the server ends the worker's polls, and
			// the worker takes the tasks that they had already got. Without
			// this a task that is on its way to a worker that cuts its polls
			// off is lost until it times out.
			dynamicconfig.EnableCancelWorkerPollsOnShutdown.Key(): true,
			// Each dataset has task queues of its own. One partition of each is
			// plenty for one machine, and a quarter of the work of four.
			dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
			dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,
		}),
	)
	if err != nil {
		return "", err
	}
	if err := server.Start(); err != nil {
		return "", err
	}
	s.OnStop("Temporal", func(limit context.Context) error {
		return within(limit, server.Stop)
	})
	return cfg.PublicClient.HostPort, nil
}

// database makes the database file and the namespace where they do not exist
// yet.
func database(file string) (*config.SQL, error) {
	sql := &config.SQL{
		PluginName:   sqliteplugin.PluginName,
		DatabaseName: file,
		// With a write-ahead log a commit need not wait for the disk (synchronous
		// 1): a process that is killed loses nothing, and a machine that loses
		// power the last commits only.
		ConnectAttributes: map[string]string{"mode": "rwc", "journal_mode": "wal", "synchronous": "1"},
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		// The schema is made in another file, so that an interrupted start
		// leaves nothing that looks like a database.
		fresh := config.SQL{PluginName: sql.PluginName, DatabaseName: file + ".new", ConnectAttributes: map[string]string{"mode": "rwc"}}
		if err := os.RemoveAll(fresh.DatabaseName); err != nil {
			return nil, fmt.Errorf("clear away an unfinished database: %w", err)
		}
		if err := sqlite.SetupSchema(&fresh); err != nil {
			return nil, fmt.Errorf("make the database: %w", err)
		}
		if err := os.Rename(fresh.DatabaseName, file); err != nil {
			return nil, fmt.Errorf("make the database: %w", err)
		}
	}
	namespace, err := sqlite.NewNamespaceConfig(clusterName, namespaceName, false, nil)
	if err != nil {
		return nil, fmt.Errorf("make the namespace: %w", err)
	}
	namespace.Detail.Config.Retention = timestamp.DurationPtr(historyRetention)
	if err := sqlite.CreateNamespaces(sql, namespace); err != nil {
		return nil, fmt.Errorf("make the namespace: %w", err)
	}
	return sql, nil
}

// serverConfig describes a cluster of one server on loopback.
func serverConfig(sql *config.SQL, port int, ports *stack.HeldPorts) *config.Config {
	service := func(port int) config.Service {
		return config.Service{RPC: config.RPC{GRPCPort: port, BindOnIP: stack.Loopback}}
	}
	frontend := service(port)
	frontend.RPC.HTTPPort = ports.Take(portHTTP)
	cfg := &config.Config{}
	cfg.Global.Membership = config.Membership{MaxJoinDuration: startTimeout, BroadcastAddress: stack.Loopback}
	cfg.Persistence = config.Persistence{
		DefaultStore: "sqlite", VisibilityStore: "sqlite", NumHistoryShards: 1,
		DataStores: map[string]config.DataStore{"sqlite": {SQL: sql}},
	}
	cfg.ClusterMetadata = &cluster.Config{
		FailoverVersionIncrement: 10,
		MasterClusterName:        clusterName,
		CurrentClusterName:       clusterName,
		ClusterInformation: map[string]cluster.ClusterInformation{clusterName: {
			Enabled: true, InitialFailoverVersion: 1, RPCAddress: stack.Address(port), ClusterID: clusterID,
		}},
	}
	cfg.DCRedirectionPolicy.Policy = "noop"
	cfg.Services = map[string]config.Service{
		string(primitives.FrontendService): frontend,
		string(primitives.HistoryService):  service(ports.Take(portHistory)),
		string(primitives.MatchingService): service(ports.Take(portMatching)),
		string(primitives.WorkerService):   service(ports.Take(portWorker)),
	}
	cfg.Archival.History.State, cfg.Archival.Visibility.State = "disabled", "disabled"
	cfg.NamespaceDefaults.Archival.History.State, cfg.NamespaceDefaults.Archival.Visibility.State = "disabled", "disabled"
	cfg.PublicClient.HostPort = stack.Address(port)
	return cfg
}

// within runs a stop that has no deadline of its own. When it takes too long,
// within returns and leaves it behind: the process ends anyway.
func within(limit context.Context, stop func() error) error {
	done := make(chan error, 1)
	go func() { done <- stop() }()
	select {
	case err := <-done:
		return err
	case <-limit.Done():
		return fmt.Errorf("it takes too long: %w", limit.Err())
	}
}
