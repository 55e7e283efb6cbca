# SPDX-License-Identifier: Apache-2.0
"""The other side of spec/live/support/differential.lua: values as the DataStax Python driver reads and writes them.

usage: values.py codec SEED        lines CLASS HEX on standard input, for each one line on standard output:
                                   "TEXT HEX TEXT HEX": the value read, and written again; a value of this side's own
                                   making, and written. Or "skip REASON" where the driver has no value for it.
       values.py rows PORT TABLE SEED ADDRESS...   reads all rows of TABLE (k int, v0 ... vn) and prints "K TEXT ..."
                                   for each; then writes as many rows of its own, k from 1000 on, and prints those
"""
import datetime
import decimal
import random
import socket
import struct
import sys
import uuid

from cassandra import util
from cassandra.cqltypes import lookup_casstype

VERSION = 5
ZERO = "8000000000000000"  # -0, which is another number than 0 to Cassandra and the same to Python
EPOCH = datetime.datetime(1970, 1, 1)


def digits(number):
    sign, parts, exponent = number.as_tuple()
    text = "".join(map(str, parts)).lstrip("0") or "0"
    return ("-" if sign and text != "0" else "") + text + "e" + str(exponent)


def real(value):
    return "nan" if value != value else struct.pack(">d", value).hex()


def network(value):
    return socket.inet_pton(socket.AF_INET6 if ":" in value else socket.AF_INET, value).hex()


def plain(kind):  # without its FrozenType(...)
    return kind.subtypes[0] if kind.typename == "frozen" else kind


def name_of(kind):
    return "text" if kind.typename == "varchar" else kind.typename


def parts(kind, value):
    children = list(kind.subtypes)
    items = list(value) + [None] * (len(children) - len(value))
    return "(" + ",".join(text(c, v) for c, v in zip(children, items)) + ")"


# One text for each value, the same on both sides.
SCALARS = {
    "boolean": lambda v: "t" if v else "f", "decimal": digits, "float": real, "double": real, "inet": network,
    "blob": lambda v: "x" + v.hex(), "text": lambda v: "x" + v.encode().hex(),
    "ascii": lambda v: "x" + v.encode().hex(),
    "timestamp": lambda v: str(round((v - EPOCH) / datetime.timedelta(milliseconds=1))),
    "date": lambda v: str(v.days_from_epoch), "time": lambda v: str(v.nanosecond_time),
    "duration": lambda v: "%d/%d/%d" % (v.months, v.days, v.nanoseconds),
}


def text(kind, value):
    if value is None:
        return "~"
    kind = plain(kind)
    name = name_of(kind)
    if name in ("list", "set"):
        items = [text(kind.subtypes[0], v) for v in value]
        return "[" + ",".join(items if name == "list" else sorted(set(items))) + "]"
    if name == "map":
        return "{" + ",".join(sorted(text(kind.subtypes[0], k) + ":" + text(kind.subtypes[1], v)
                                     for k, v in value.items())) + "}"
    if name.endswith("VectorType"):
        return "[" + ",".join(text(kind.subtype, v) for v in value) + "]"
    if hasattr(kind, "subtypes") and kind.subtypes:
        return parts(kind, value)
    return SCALARS.get(name, str)(value)


# ---- values of this side's own making ----------------------------------------------------------------------------

def word(letters):
    return "".join(random.choice(letters) for _ in range(random.randrange(12)))


def whole(bits):
    most = 2 ** (bits - 1)
    return lambda: random.choice([0, -1, 1, most - 1, -most, random.randrange(-most, most)])


def duration():
    sign = random.choice([1, -1])
    return util.Duration(sign * random.randrange(2 ** 31), sign * random.randrange(2 ** 31),
                         sign * random.randrange(2 ** 53))


MAKERS = {
    "tinyint": whole(8), "smallint": whole(16), "int": whole(32), "bigint": whole(64), "varint": whole(300),
    "boolean": lambda: random.random() < 0.5,
    "decimal": lambda: decimal.Decimal((random.randrange(2), tuple(random.randrange(10) for _ in range(20)),
                                        random.randrange(-50, 50))),
    "float": lambda: struct.unpack(">f", struct.pack(">f", random.choice([0.0, -0.0, 0.1, 1e30, float("inf")])))[0],
    "double": lambda: random.choice([0.0, -0.0, 0.1, 1e-300, 1e300, float("-inf"), float("nan"), random.random()]),
    "inet": lambda: random.choice(["10.0.0.1", "::1", "2001:db8::7"]),
    "blob": lambda: bytes(random.randrange(256) for _ in range(random.randrange(12))),
    "text": lambda: word("aü€😀\0'"), "ascii": lambda: word("aZ \0'"),
    "timestamp": lambda: EPOCH + datetime.timedelta(milliseconds=random.randrange(-10 ** 13, 10 ** 14)),
    "date": lambda: util.Date(random.randrange(-2 ** 31, 2 ** 31)),
    "time": lambda: util.Time(random.randrange(86400 * 10 ** 9)),
    "duration": duration, "uuid": uuid.uuid4, "timeuuid": uuid.uuid1,
}


def make(kind, nullable=False):
    if nullable and random.random() < 0.2:
        return None
    kind = plain(kind)
    name = name_of(kind)
    some = range(random.randrange(4))
    if name == "list":
        return [make(kind.subtypes[0]) for _ in some]
    if name == "set":
        return util.sortedset(key(kind.subtypes[0]) for _ in some)
    if name == "map":
        return util.OrderedMap([(key(kind.subtypes[0]), make(kind.subtypes[1])) for _ in some])
    if name.endswith("VectorType"):
        return [make(kind.subtype) for _ in range(kind.vector_size)]
    if hasattr(kind, "subtypes") and kind.subtypes:
        return tuple(make(c, True) for c in kind.subtypes)
    return MAKERS[name]()


def key(kind):  # which the driver can tell from another one
    while True:
        value = make(kind)
        if "nan" not in text(kind, value) and ZERO not in text(kind, value):
            return value


def answer(class_name, content):
    kind = lookup_casstype(class_name)
    value = kind.from_binary(content, VERSION)
    own = make(kind)
    again = kind.from_binary(kind.to_binary(own, VERSION), VERSION)
    return " ".join([text(kind, value), kind.to_binary(value, VERSION).hex() or "-", text(kind, again),
                     kind.to_binary(own, VERSION).hex() or "-"])


def codec():
    for line in sys.stdin:
        class_name, content = line.rstrip("\n").split("\t")
        try:
            print(answer(class_name, bytes.fromhex(content)))
        except Exception as error:  # what the driver cannot say is no matter of this comparison
            print("skip %s: %s" % (type(error).__name__, str(error).replace("\n", " ")))


def rows(port, table, addresses):
    from cassandra import ConsistencyLevel
    from cassandra.cluster import Cluster, ExecutionProfile, EXEC_PROFILE_DEFAULT
    from cassandra.query import tuple_factory
    profile = ExecutionProfile(consistency_level=ConsistencyLevel.QUORUM, request_timeout=60, row_factory=tuple_factory)
    cluster = Cluster(addresses, port=port, protocol_version=VERSION, connect_timeout=30,
                      control_connection_timeout=30, execution_profiles={EXEC_PROFILE_DEFAULT: profile})
    session = cluster.connect()
    select = session.prepare("SELECT * FROM " + table)
    kinds = [column[3] for column in select.result_metadata]
    stored = session.execute(select).all()
    for row in stored:
        print(row[0], *[text(kind, value) for kind, value in list(zip(kinds, row))[1:]])
    insert = session.prepare("INSERT INTO %s (k, %s) VALUES (?, %s)" % (
        table, ", ".join(column[2] for column in select.result_metadata[1:]), ", ".join("?" * (len(kinds) - 1))))
    for k in range(1000, 1000 + len(stored)):
        values = [make(kind, True) for kind in kinds[1:]]
        session.execute(insert, [k] + values)
        back = session.execute("SELECT * FROM %s WHERE k = %d" % (table, k)).one()
        print(k, *[text(kind, value) for kind, value in list(zip(kinds, back))[1:]])
    cluster.shutdown()


sys.setrecursionlimit(10000)
if sys.argv[1] == "codec":
    random.seed(int(sys.argv[2]))
    codec()
else:
    random.seed(int(sys.argv[4]))
    rows(int(sys.argv[2]), sys.argv[3], sys.argv[5:])
