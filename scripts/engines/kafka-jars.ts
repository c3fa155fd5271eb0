import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { isWritable, MissingError, needProgram, run } from "./packages.ts";

/** Apache Kafka's own jars; the broker, its storage tool and the console tools. */
export const kafkaVersion = "4.3.1";
const scalaVersion = "2.13";
/** Where the broker's errors go; without it a broker that cannot start says nothing. */
const logVersion = "2.25.4";
const dependencyPlugin = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId>
  <artifactId>kafka-jars</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_${scalaVersion}</artifactId>
      <version>${kafkaVersion}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka-tools</artifactId>
      <version>${kafkaVersion}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>${logVersion}</version>
    </dependency>
  </dependencies>
</project>
`;

/**
 * The folder with Kafka's jars, fetched once with Maven (54 MB) into the cache directory. A fetch
 * that breaks off leaves nothing there.
 */
export async function needKafkaJars(
  repository: string,
  say: (line: string) => void,
): Promise<string> {
  const cache = findCacheDirectory(repository);
  const jars = join(cache, `kafka-${kafkaVersion}`);
  const newest = [
    `kafka_${scalaVersion}-${kafkaVersion}.jar`,
    `log4j-slf4j-impl-${logVersion}.jar`,
  ];
  if (newest.every((jar) => existsSync(join(jars, jar)))) return jars;
  const maven = await needProgram("mvn", { debian: "maven", say });
  say(`fetching Apache Kafka ${kafkaVersion} with Maven into ${cache} (54 MB, once)`);
  const work = mkdtempSync(join(cache, "kafka-fetch-"));
  try {
    writeFileSync(join(work, "pom.xml"), pom);
    // A Maven repository of its own: the home directory may not exist, and nothing stays in it.
    const settings = [
      `-Dmaven.repo.local=${join(work, "repository")}`,
      `-DoutputDirectory=${join(work, "jars")}`,
      "-DincludeScope=runtime",
    ];
    await run([maven, "--batch-mode", "--quiet", dependencyPlugin, ...settings], {
      directory: work,
    });
    rmSync(jars, { recursive: true, force: true });
    renameSync(join(work, "jars"), jars);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return jars;
}

/** Java 17 or newer. Throws MissingError that says what was found. */
export async function needJava(say: (line: string) => void): Promise<string> {
  const home = process.env["JAVA_HOME"];
  const own = home === undefined ? undefined : join(home, "bin", "java");
  const debian = "openjdk-17-jre-headless";
  const java =
    own !== undefined && existsSync(own) ? own : await needProgram("java", { debian, say });
  const asked = Bun.spawnSync([java, "-version"]);
  const version = /version "(\d+)/.exec(asked.stderr.toString())?.[1];
  if (Number(version ?? 0) >= 17) return java;
  throw new MissingError(
    `Kafka needs Java 17 or newer; ${java} is ${version === undefined ? "none" : `Java ${version}`}. Debian has it as ${debian}`,
  );
}

/** `$XDG_CACHE_HOME/instant`, `~/.cache/instant`, or the repository's own when HOME is no use. */
function findCacheDirectory(repository: string): string {
  const home = process.env["XDG_CACHE_HOME"] ?? join(process.env["HOME"] || homedir(), ".cache");
  const wanted = join(home, "instant");
  try {
    mkdirSync(wanted, { recursive: true });
    if (isWritable(wanted)) return wanted;
  } catch {
    // A HOME that does not exist or is not ours: the repository's ignored folder serves.
  }
  const own = join(repository, ".cache", "downloads");
  mkdirSync(own, { recursive: true });
  return own;
}
