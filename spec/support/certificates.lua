-- SPDX-License-Identifier: Apache-2.0
-- Certificates for specs, made by openssl when they are asked for, in a folder of their own: good ones, and
-- one for each
-- way to be bad.
local certificates = {}

local functions = [=[
set -e
cd "$1"
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
authority() { key "$1"; openssl req -config ca.cnf -x509 -new -key "$1.key" -days 3650 -subj "/CN=$1" \
  -extensions authority -out "$1.pem"; }
# issue NAME AUTHORITY EXTENSIONS [ARGUMENTS OF openssl ca]
issue() {
  local name=$1 by=$2 extensions=$3; shift 3
  [[ -e $name.key ]] || key "$name"
  openssl req -config ca.cnf -new -key "$name.key" -subj "/CN=$name" -out "$name.csr"
  printf '%s\n' "[x]" "$extensions" > "$name.ext"
  openssl ca -batch -notext -config ca.cnf -cert "$by.pem" -keyfile "$by.key" -in "$name.csr" -out "$name.pem" \
    -extfile "$name.ext" -extensions x -startdate 20200101000000Z -enddate 20990101000000Z "$@"
}
]=]

local script = [=[
cat > ca.cnf <<'END'
[ca]
default_ca = one
[one]
dir = .
database = $dir/index.txt
serial = $dir/serial
new_certs_dir = $dir
default_md = sha256
policy = any
copy_extensions = none
unique_subject = no
default_crl_days = 3650
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
END
: > index.txt; echo 01 > serial
here='subjectAltName = IP:127.0.0.1, IP:127.0.0.2, IP:127.0.0.3, DNS:node.test'
authority ca; authority stranger
issue good ca "$here"
issue other ca "$here"
issue named ca 'subjectAltName = DNS:node.test'
issue client ca 'extendedKeyUsage = clientAuth'
issue expired ca "$here" -enddate 20210101000000Z
issue early ca "$here" -startdate 20900101000000Z
issue name ca 'subjectAltName = DNS:other.test'
issue address ca 'subjectAltName = IP:127.0.0.2'
issue common ca 'extendedKeyUsage = serverAuth'
issue foreign stranger "$here"
issue usage ca "$here
extendedKeyUsage = clientAuth"
openssl genrsa -out weak.key 1024; issue weak ca "$here"
issue digest ca "$here" -md sha1
issue revoked ca "$here"; openssl ca -config ca.cnf -cert ca.pem -keyfile ca.key -revoke revoked.pem
issue between ca "$(printf 'basicConstraints = critical, CA:TRUE\nkeyUsage = keyCertSign')"
issue missing between "$here"; cat missing.pem between.pem > chained.pem; cp missing.key chained.key
issue plainer ca 'basicConstraints = CA:FALSE'
issue usurped plainer "$here"; cat usurped.pem plainer.pem > x; mv x usurped.pem
key alone
openssl req -config ca.cnf -x509 -new -key alone.key -days 3650 -subj /CN=alone -addext "$here" -out alone.pem
openssl ca -config ca.cnf -cert ca.pem -keyfile ca.key -gencrl -out crl.pem
openssl ec -in good.key -aes128 -passout pass:secret -out locked.key
]=]

local function run(folder, text)
  local path = folder .. "/make.sh"
  local file = assert(io.open(path, "w"))
  file:write(functions, text)
  file:close()
  if os.execute(("bash '%s' '%s' >'%s/log' 2>&1"):format(path, folder, folder)) ~= 0 then
    error("openssl: " .. assert(io.open(folder .. "/log")):read "*a")
  end
end

-- A folder with NAME.pem and NAME.key, ca.pem, crl.pem; to be removed.
function certificates.folder()
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir '" .. folder .. "'") == 0)
  run(folder, script)
  return folder
end

-- One more in that folder, by `ca`: NAME is its common name, `names` what stands in subjectAltName; nil: nothing.
function certificates.issue(folder, name, names)
  run(folder, ("issue '%s' ca '%s'"):format(name, names and "subjectAltName = " .. names
    or "extendedKeyUsage = serverAuth"))
end

function certificates.remove(folder) os.execute("rm -rf '" .. folder .. "'") end

return certificates
