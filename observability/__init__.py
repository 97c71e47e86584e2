"""What is looked at from outside, as code: the Grafana dashboard of the chart."""
