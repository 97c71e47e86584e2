import os

import pytest
from pydantic import BaseModel, ValidationError

from canary_operator.errors import ConfigurationError
from canary_operator.model.fleet import Brake, FleetRules
from canary_operator.settings import Settings, load_settings

FULL = """
evaluationInterval: 30s
providers:
- name: default
  url: http://prometheus.monitoring:9090
  addresses: [http://prometheus:9090]
  timeout: 1m30s
  maxConcurrency: 8
  maxResponseBytes: 1048576
  headers: {X-Scope-OrgID: team-a}
  basicAuth: {username: me, passwordFile: /etc/secret/password}
- name: thanos
  url: https://thanos.example/prefix
  bearerTokenFile: /etc/secret/token
  tls: {caFile: /etc/ca.pem, certFile: /etc/cert.pem, keyFile: /etc/key.pem}
lease: {enabled: true, namespace: canary-operator, name: canary-operator, duration: 15s}
web: {host: 127.0.0.1, port: 8081}
"""


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch):
    for name in list(os.environ):
        if name.upper().startswith("CANARY_OPERATOR_"):
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return path

    return write


def mistakes_of(path):
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path)
    return str(caught.value).splitlines()


def test_an_operator_may_observe_and_may_not_be_off(file):
    assert load_settings(file("mode: observe")).mode == "observe"
    assert mistakes_of(file("mode: off"))


def test_without_a_file_the_defaults_hold():
    settings = load_settings(None)

    assert settings.mode == "enforce"
    assert settings.evaluation_interval == 15.0
    assert settings.providers == ()
    assert (settings.web.host, settings.web.port) == ("0.0.0.0", 8080)
    assert (settings.lease.enabled, settings.lease.namespace, settings.lease.duration) == (True, None, 15.0)


def test_an_empty_file_is_no_file(file):
    assert load_settings(file("# nothing yet\n")) == load_settings(None)


def test_a_full_file_is_read_with_durations_in_seconds(file):
    settings = load_settings(file(FULL))

    first, second = settings.providers
    assert settings.evaluation_interval == 30.0
    assert (first.timeout, first.max_concurrency, first.headers) == (90.0, 8, {"X-Scope-OrgID": "team-a"})
    assert (second.timeout, second.max_concurrency, second.max_response_bytes) == (10.0, 4, 32 * 1024 * 1024)
    assert str(second.tls.ca_file) == "/etc/ca.pem"
    assert settings.web.port == 8081


def test_the_verdict_is_served_to_nobody_unless_a_token_is_named(file):
    named = load_settings(file("web: {port: 8081, verdict: {tokenFile: /etc/verdict/token}}\n")).web

    assert load_settings(None).web.verdict.token_file is None
    assert (named.port, str(named.verdict.token_file)) == (8081, "/etc/verdict/token")


def test_a_provider_is_prometheus_and_shared_unless_told_otherwise(file):
    providers = load_settings(
        file(
            "providers:\n- {name: a, url: 'http://a'}\n"
            "- {name: b, url: 'http://b', flavour: thanos, tenancy: namespace}\n"
        )
    ).providers

    assert [(each.flavour.value, each.tenancy.value) for each in providers] == [
        ("prometheus", "shared"),
        ("thanos", "namespace"),
    ]


@pytest.mark.parametrize("field", ["flavour: mimir", "tenancy: hard"])
def test_an_unknown_flavour_or_tenancy_is_a_mistake_that_says_what_is_allowed(file, field):
    (mistake,) = mistakes_of(file(f"providers:\n- {{name: a, url: 'http://a', {field}}}\n"))

    assert f"providers[0].{field.split(':')[0]}" in mistake
    assert "shared" in mistake or "thanos" in mistake


def test_settings_cannot_be_changed():
    settings = load_settings(None)

    with pytest.raises(ValidationError, match="frozen"):
        settings.evaluation_interval = 1.0


def test_all_mistakes_are_told_at_once_with_place_value_and_bound(file):
    path = file(
        """
evaluationInterval: 100ms
providers:
- {name: Default, url: "ftp://x", timeout: 10, maxConcurrency: 0}
web: {port: 70000, prot: 1}
"""
    )

    told = mistakes_of(path)

    url = "should be http(s)://host[:port][/path] without credentials, query or fragment"
    pattern = "String should match pattern '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$'"
    assert told == [
        f"{path}: evaluationInterval: should be between 1s and 10m, got '100ms'",
        f"{path}: providers[0].name: {pattern}, got 'Default'",
        f"{path}: providers[0].url: {url}, got 'ftp://x'",
        f'{path}: providers[0].timeout: should be a duration in quotes, such as "15s", got 10',
        f"{path}: providers[0].maxConcurrency: Input should be greater than or equal to 1, got 0",
        f"{path}: web.port: Input should be less than or equal to 65535, got 70000",
        f"{path}: web.prot: Extra inputs are not permitted, got 1",
    ]


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ("{url: http://p}", "providers[0].name: Field required"),
        ("{name: p, url: http://me:s3cret@p}", "without credentials"),
        ("{name: p, url: 'http://p?token=s3cret'}", "without credentials, query"),
        ("{name: p, url: 'http://'}", "should be http(s)://host"),
        ("{name: p, url: http://p, timeout: 0s}", "should be between 10ms and 5m, got '0s'"),
        ("{name: p, url: http://p, timeout: '10'}", "is not a duration"),
        ("{name: p, url: http://p, addresses: ['{{args.x}}']}", "providers[0].addresses[0]: should be http(s)"),
        ("{name: p, url: http://p, tls: {certFile: /c}}", "certFile and keyFile are given together"),
        ("{name: p, url: http://p, basicAuth: {username: u}}", "providers[0].basicAuth.passwordFile: Field required"),
        ("{name: p, url: http://p, bearerTokenFile: /t, headers: {authorization: s3cret}}", "only one of basicAuth"),
        ('{name: p, url: http://p, headers: {X-A: "s3cret\\nX: y"}}', "header 'X-A'"),
        ("{name: p, url: http://p, headers: {X-A: a, x-a: b}}", "the same header is given twice"),
        (
            "{name: p, url: http://p, headers: {X-A: [s3cret]}}",
            "providers[0].headers.X-A: Input should be a valid string",
        ),
    ],
)
def test_a_wrong_provider_is_named_and_no_secret_is_repeated(file, provider, said):
    told = "\n".join(mistakes_of(file(f"providers: [{provider}]")))

    assert said in told
    assert "s3cret" not in told or "?" in provider


def test_provider_names_are_unique(file):
    told = mistakes_of(file("providers: [{name: a, url: http://a}, {name: a, url: http://b}]"))

    assert "names must be unique, given more than once: a" in told[0]


def test_header_values_are_not_printed(file):
    settings = load_settings(file("providers: [{name: a, url: http://a, headers: {X-Key: s3cret}}]"))

    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize("text", ["[]", "3", "a: [", "1: 2", "_env_file: x", "a: \x00"])
def test_a_file_that_is_no_mapping_is_told_with_its_name(file, text):
    path = file(text)

    assert mistakes_of(path)[0].startswith(f"{path}: ")


def test_a_file_that_cannot_be_read_is_told_with_its_name(tmp_path):
    assert mistakes_of(tmp_path / "absent.yaml") == [
        f"{tmp_path / 'absent.yaml'}: cannot be read: No such file or directory"
    ]


def test_the_environment_wins_over_the_file_field_by_field(file, monkeypatch):
    monkeypatch.setenv("CANARY_OPERATOR_EVALUATION_INTERVAL", "20s")
    monkeypatch.setenv("CANARY_OPERATOR_WEB__PORT", "9999")
    monkeypatch.setenv("CANARY_OPERATOR_PROVIDERS", '[{"name": "env", "url": "http://env", "maxConcurrency": 2}]')

    settings = load_settings(file(FULL))

    assert settings.evaluation_interval == 20.0
    assert (settings.web.host, settings.web.port) == ("127.0.0.1", 9999)
    assert [(provider.name, provider.max_concurrency) for provider in settings.providers] == [("env", 2)]


def test_variables_without_the_prefix_and_those_of_kubernetes_are_not_ours(monkeypatch):
    monkeypatch.setenv("CANARY_OPERATOR_PORT", "tcp://10.0.0.1:8080")
    monkeypatch.setenv("CANARY_OPERATOR_SERVICE_HOST", "10.0.0.1")
    for name in ("WEB", "PROVIDERS", "EVALUATIONINTERVAL", "EVALUATION_INTERVAL"):
        monkeypatch.setenv(name, "nonsense")

    assert load_settings(None).web.port == 8080


def test_a_mistake_in_the_environment_says_where_it_may_be(monkeypatch):
    monkeypatch.setenv("CANARY_OPERATOR_WEB__PORT", "many")

    told = mistakes_of(None)

    assert told[0].startswith("environment or configuration: web.port: ")
    assert told[0].endswith("got 'many'")


def test_a_list_in_the_environment_must_be_json(monkeypatch):
    monkeypatch.setenv("CANARY_OPERATOR_PROVIDERS", "[s3cret")

    told = mistakes_of(None)

    assert "providers" in told[0]
    assert "s3cret" not in told[0]


@pytest.mark.parametrize(
    ("fleet", "rules"),
    [
        ("{}", FleetRules()),
        ("{perCluster: 5, perNamespace: 1}", FleetRules(5, 1)),
        ("{brake: {aborts: 3}}", FleetRules(brake=Brake(3, 900.0))),
        ("{brake: {aborts: 1, within: 1h}}", FleetRules(brake=Brake(1, 3600.0))),
    ],
)
def test_what_releases_may_do_together_is_read(tmp_path, fleet, rules):
    path = tmp_path / "config.yaml"
    path.write_text(f"fleet: {fleet}")

    assert load_settings(path).fleet.rules == rules


@pytest.mark.parametrize(
    ("fleet", "mistake"),
    [
        ("{perCluster: 0}", "fleet.perCluster: Input should be greater than or equal to 1, got 0"),
        ("{perNamespace: many}", "fleet.perNamespace: Input should be a valid integer"),
        ("{brake: {within: 5m}}", "fleet.brake.aborts: Field required"),
        ("{brake: {aborts: 2, within: 30s}}", "fleet.brake.within: should be between 1m and 24h, got '30s'"),
        ("{brake: {aborts: 0}}", "fleet.brake.aborts: Input should be greater than or equal to 1, got 0"),
        ("{atMost: 3}", "fleet.atMost: Extra inputs are not permitted"),
    ],
)
def test_a_mistake_about_releases_together_says_place_value_and_bound(tmp_path, fleet, mistake):
    path = tmp_path / "config.yaml"
    path.write_text(f"fleet: {fleet}")

    assert mistake in mistakes_of(path)[0]


def every_field(model):
    for name, field in model.model_fields.items():
        yield f"{model.__name__}.{name}", field
        for section in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(section, type) and issubclass(section, BaseModel):
                yield from every_field(section)


def test_every_field_says_its_default_and_why():
    silent = [name for name, field in every_field(Settings) if len(field.description or "") < 20]

    assert silent == []
