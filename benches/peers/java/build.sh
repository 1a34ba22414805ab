# Compiles a Java peer once. Sourced with `part` (streams or flink) set; sets `classpath`.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
peers=$(cd "$here/../../.." && pwd)/.services/peers
classes=$peers/$part-classes
"$here/../install.sh" "$part"
sources=("$here/Model.java" "$here/$part"/*.java)
if [ -z "$(find "$classes" -name '*.class' -newer "${sources[0]}" -newer "${sources[1]}" -newer "$here/pom.xml" 2>/dev/null | head -1)" ]; then
    rm -rf "$classes"
    mkdir -p "$classes"
    javac -nowarn -cp "$peers/$part-lib/*" -d "$classes" "${sources[@]}" >&2
fi
classpath=$here/log:$classes:$peers/$part-lib/*
