package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
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
)

const (
	// temporalNamespace is the one that clients use when they name none.
	temporalNamespace = "default"
	temporalCluster   = "active"
	// temporalClusterID identifies the cluster to itself; any fixed value will do.
	temporalClusterID = "5f9c6f9e-7d8c-4e8b-b9a4-6c7b3a2d1e0f"
	// historyRetention is how long the histories of finished runs can be looked at; the server's own default is a day.
	historyRetention = 30 * 24 * time.Hour
	// temporalPatience is how long the server may take to answer; usual is half a second.
	temporalPatience = 30 * time.Second
	// temporalProcess is the name of the server's process where it has one of its own.
	temporalProcess = "Temporal"
)

// Ports of the Temporal server's parts, which talk to each other over the network even within one process.
const (
	portTemporalHTTP = "temporal-http"
	portHistory      = "temporal-history"
	portMatching     = "temporal-matching"
	portWorker       = "temporal-worker"
)

// startTemporal uses the server that TEMPORAL_ADDRESS names, else starts one in this process, with its Web UI. ui is
// the Web UI's address, "" when it is not known.
func startTemporal(ctx context.Context, stack *Stack) (addr, ui string, err error) {
	given := stack.getenv("TEMPORAL_ADDRESS")
	err = stack.Steps.Do("Temporal", "starting the server", func() (string, error) {
		if given != "" {
			addr = given
			return addr + " (given by TEMPORAL_ADDRESS)", awaitTemporal(ctx, addr)
		}
		port := stack.ports.Take(portTemporal)
		if stack.Apart {
			addr, err = startTemporalApart(stack, port)
		} else {
			addr, err = startTemporalServer(stack, port)
		}
		if err != nil {
			return "", fmt.Errorf("start Temporal: %w (log: %s)", err, stack.Dirs.Log("temporal"))
		}
		if err := awaitTemporal(ctx, addr); err != nil {
			return "", fmt.Errorf("%w (log: %s)", err, stack.Dirs.Log("temporal"))
		}
		return addr + " (embedded server)", nil
	})
	if err != nil || given != "" || stack.Apart {
		return addr, "", err
	}
	err = stack.Steps.Do("Web UI", "starting Temporal's Web UI", func() (string, error) {
		ui, err = startTemporalUI(ctx, stack, addr)
		return ui, err
	})
	return addr, ui, err
}

// awaitTemporal waits until the server answers and knows the namespace.
func awaitTemporal(ctx context.Context, addr string) error {
	deadline := time.Now().Add(temporalPatience)
	for {
		err := askTemporal(ctx, addr)
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

func askTemporal(ctx context.Context, addr string) error {
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

// startTemporalApart is startTemporalServer in a process of its own.
func startTemporalApart(stack *Stack, port int) (addr string, err error) {
	log, err := stack.openLog("temporal")
	if err != nil {
		return "", err
	}
	return address(port), startPart(stack, temporalProcess, log, "temporal", stack.Dirs.Data, stack.Dirs.World, strconv.Itoa(port))
}

// startTemporalServer starts all of Temporal's services on a SQLite file.
func startTemporalServer(stack *Stack, port int) (addr string, err error) {
	sql, err := temporalDatabase(stack.Dirs.WorldFile("temporal.db"))
	if err != nil {
		return "", err
	}
	inner, err := holdPorts(map[string]int{portTemporalHTTP: 0, portHistory: 0, portMatching: 0, portWorker: 0})
	if err != nil {
		return "", err
	}
	defer inner.Release()
	cfg := temporalConfig(sql, port, inner)

	logger := log.NewZapLogger(log.BuildZapLogger(log.Config{Level: "error", OutputFile: stack.Dirs.Log("temporal")}))
	authorizer, err := authorization.GetAuthorizerFromConfig(&cfg.Global.Authorization)
	if err != nil {
		return "", err
	}
	claims, err := authorization.GetClaimMapperFromConfig(&cfg.Global.Authorization, logger)
	if err != nil {
		return "", err
	}
	hosts := map[primitives.ServiceName]static.Hosts{}
	for _, name := range []primitives.ServiceName{primitives.FrontendService, primitives.MatchingService, primitives.HistoryService, primitives.WorkerService} {
		hosts[name] = static.SingleLocalHost(address(cfg.Services[string(name)].RPC.GRPCPort))
	}
	server, err := temporal.NewServer(
		temporal.WithConfig(cfg),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(hosts),
		temporal.WithLogger(logger),
		temporal.WithAuthorizer(authorizer),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return claims }),
		temporal.WithDynamicConfigClient(dynamicconfig.StaticClient{
			// A search attribute that was just registered can be used at once.
			dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key(): true,
			// A worker that stops has its polls ended by the server, and takes what they had got already: cut off by the
			// worker, a task on its way to it is lost until it times out.
			dynamicconfig.EnableCancelWorkerPollsOnShutdown.Key(): true,
		}),
	)
	if err != nil {
		return "", err
	}
	if err := server.Start(); err != nil {
		return "", err
	}
	stack.onStop("Temporal", func(limit context.Context) error {
		return within(limit, server.Stop)
	})
	return cfg.PublicClient.HostPort, nil
}

// temporalDatabase makes the database file with its namespace, where they do not exist yet.
func temporalDatabase(file string) (*config.SQL, error) {
	sql := &config.SQL{
		PluginName:        sqliteplugin.PluginName,
		DatabaseName:      file,
		ConnectAttributes: map[string]string{"mode": "rwc"},
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		// The schema is made in a file beside: an interrupted one is not taken for a database.
		fresh := *sql
		fresh.DatabaseName = file + ".new"
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
	namespace, err := sqlite.NewNamespaceConfig(temporalCluster, temporalNamespace, false, nil)
	if err != nil {
		return nil, fmt.Errorf("make the namespace: %w", err)
	}
	namespace.Detail.Config.Retention = timestamp.DurationPtr(historyRetention)
	if err := sqlite.CreateNamespaces(sql, namespace); err != nil {
		return nil, fmt.Errorf("make the namespace: %w", err)
	}
	return sql, nil
}

// temporalConfig is a cluster of one, on loopback.
func temporalConfig(sql *config.SQL, port int, inner *HeldPorts) *config.Config {
	service := func(port int) config.Service {
		return config.Service{RPC: config.RPC{GRPCPort: port, BindOnIP: loopback}}
	}
	frontend := service(port)
	frontend.RPC.HTTPPort = inner.Take(portTemporalHTTP)
	cfg := &config.Config{}
	cfg.Global.Membership = config.Membership{MaxJoinDuration: temporalPatience, BroadcastAddress: loopback}
	cfg.Persistence = config.Persistence{
		DefaultStore: "sqlite", VisibilityStore: "sqlite", NumHistoryShards: 1,
		DataStores: map[string]config.DataStore{"sqlite": {SQL: sql}},
	}
	cfg.ClusterMetadata = &cluster.Config{
		FailoverVersionIncrement: 10,
		MasterClusterName:        temporalCluster,
		CurrentClusterName:       temporalCluster,
		ClusterInformation: map[string]cluster.ClusterInformation{temporalCluster: {
			Enabled: true, InitialFailoverVersion: 1, RPCAddress: address(port), ClusterID: temporalClusterID,
		}},
	}
	cfg.DCRedirectionPolicy.Policy = "noop"
	cfg.Services = map[string]config.Service{
		string(primitives.FrontendService): frontend,
		string(primitives.HistoryService):  service(inner.Take(portHistory)),
		string(primitives.MatchingService): service(inner.Take(portMatching)),
		string(primitives.WorkerService):   service(inner.Take(portWorker)),
	}
	cfg.Archival.History.State, cfg.Archival.Visibility.State = "disabled", "disabled"
	cfg.NamespaceDefaults.Archival.History.State, cfg.NamespaceDefaults.Archival.Visibility.State = "disabled", "disabled"
	cfg.PublicClient.HostPort = address(port)
	return cfg
}

// startTemporalUI serves the Web UI of the server at addr.
func startTemporalUI(ctx context.Context, stack *Stack, addr string) (ui string, err error) {
	port := stack.ports.Take(portTemporalUI)
	server := uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
		Host: loopback, Port: port, TemporalGRPCAddress: addr, EnableUI: true,
		CORS:     uiconfig.CORS{CookieInsecure: true}, // plain HTTP on loopback
		HideLogs: true, DisableNewsFetch: true,
	}))
	ended := make(chan error, 1)
	go func() { ended <- server.Start() }()
	stack.onStop("Temporal's Web UI", func(limit context.Context) error {
		return within(limit, func() error { server.Stop(); return nil })
	})
	ui = "http://" + address(port)
	deadline := time.Now().Add(temporalPatience)
	for {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address(port))
		if err == nil {
			return ui, conn.Close()
		}
		select {
		case err := <-ended:
			if err == nil || errors.Is(err, http.ErrServerClosed) {
				err = errors.New("it ended at once")
			}
			return "", fmt.Errorf("start Temporal's Web UI on %s: %w", address(port), err)
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return "", fmt.Errorf("start Temporal's Web UI on %s: no answer: %w", address(port), err)
		}
	}
}

// within runs a stop that knows no deadline, and leaves it behind when it takes too long: the process ends anyway.
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
