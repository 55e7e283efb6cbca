# SPDX-License-Identifier: Apache-2.0
"""What a server says to statements of one or another role, as JSON lines on standard output: for scripts whose lines of a
simulated cluster are compared with those of a real Cassandra."""
import json
import time

from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster, ExecutionProfile, EXEC_PROFILE_DEFAULT, NoHostAvailable
from cassandra.policies import WhiteListRoundRobinPolicy


class Server:
    def __init__(self, port, address):
        self.port, self.address = int(port), address

    def connect(self, user, password):
        profile = ExecutionProfile(load_balancing_policy=WhiteListRoundRobinPolicy([self.address]), request_timeout=60)
        cluster = Cluster([self.address], port=self.port, protocol_version=5,
                          auth_provider=PlainTextAuthProvider(user, password),
                          execution_profiles={EXEC_PROFILE_DEFAULT: profile}, connect_timeout=30,
                          control_connection_timeout=30)
        return cluster, cluster.connect()

    def boss(self, user, password):
        deadline = time.monotonic() + 60  # a real node makes its first role some time after it answers
        while True:
            try:
                return self.connect(user, password)[1]
            except NoHostAvailable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)

    def login(self, user, password):
        try:
            cluster, session = self.connect(user, password)
        except NoHostAvailable as error:
            why = [str(one) for one in error.errors.values()][0].split("message=")[1]
            return print(json.dumps(["login of " + user, why]))
        print(json.dumps(["login of " + user, True]))
        return cluster, session


def plain(value):
    if hasattr(value, "items"):
        return sorted(value.items())
    return list(value) if type(value).__name__ == "SortedSet" else value


def say(cql, session, *about):
    try:
        result = session.execute(cql)
        answer = [result.column_names, [[plain(cell) for cell in row] for row in result]]
    except Exception as error:  # its words are what is compared
        answer = type(error).__name__ + " " + str(error)
    print(json.dumps([*about, cql if isinstance(cql, str) else type(cql).__name__, answer]))
