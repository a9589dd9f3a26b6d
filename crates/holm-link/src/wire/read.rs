//! The reading half: every length is checked before it is used, every value by the type that it becomes, everything is
//! used up. Refuses what no writer of ours makes: two of one name, another order, bytes left over.

use std::collections::HashSet;
use std::str::FromStr;
use std::sync::Arc;

use holm_core::cluster::client_certificate::{CertificateChain, ClientCertificate, ClientKey};
use holm_core::cluster::tls::{RootCertificates, Roots, ServerTls};
use holm_core::cluster::{Cluster, ServerAddress};
use holm_core::credential::{Credential, CredentialName, Level, Scope};
use holm_core::environment::{Environment, EnvironmentKind, EnvironmentName};
use holm_core::id::{ClusterId, CredentialId, TenantId};
use holm_core::limits::TenantLimits;
use holm_core::parameter::TenantParameter;
use holm_core::placement::{Allows, Authority, Certificate, Claims, JudgedBy, Placement, SystemIdentifier, Withheld};
use holm_core::route::{Logins, Route, RouteChange, RouteState, RouteTable, RouteVersion, ServerLogin};
use holm_core::scram::{LoginKeys, SecondKeys, Verifier};
use holm_core::secret::Secret;
use holm_core::slug::TenantSlug;
use jiff::Timestamp;
use uuid::Uuid;

use super::{Refused, SHOWN};

/// What has not been read yet.
struct Reader<'a>(&'a [u8]);

const fn malformed(what: &'static str) -> Refused {
    Refused::Malformed { what }
}

const CUT: Refused = malformed("a length that is not there");

/// Reads what follows the layout's version, to its last byte.
pub(super) fn table(content: &[u8]) -> Result<RouteTable, Refused> {
    let mut reader = Reader(content);
    let version = RouteVersion(reader.u64()?);
    let mut changes = Vec::new();
    environments(&mut reader, &mut changes)?;
    clusters(&mut reader, &mut changes)?;
    credentials(&mut reader, &mut changes)?;
    routes(&mut reader, &mut changes)?;
    changes.extend(reader.option(authority)?.map(RouteChange::Authority));
    if !reader.0.is_empty() {
        return Err(malformed("bytes after the end"));
    }
    match (version > RouteVersion::default(), changes.is_empty()) {
        (true, _) => Ok(RouteTable::default().with(version, changes)),
        (false, true) => Ok(RouteTable::default()),
        (false, false) => Err(malformed("content of no version")),
    }
}

fn environments(reader: &mut Reader<'_>, changes: &mut Vec<RouteChange>) -> Result<(), Refused> {
    let mut last: Option<EnvironmentName> = None;
    for _ in 0..reader.u32()? {
        let environment = environment(reader)?;
        ascends(&mut last, &environment.name)?;
        changes.push(RouteChange::Environment(environment));
    }
    Ok(())
}

fn environment(reader: &mut Reader<'_>) -> Result<Environment, Refused> {
    Ok(Environment {
        name: reader.value("an environment's name that is none")?,
        kind: match reader.u8()? {
            1 => EnvironmentKind::Production,
            2 => EnvironmentKind::Staging,
            3 => EnvironmentKind::Development,
            4 => EnvironmentKind::Ci,
            _ => return Err(malformed("an unknown kind of environment")),
        },
        domain: reader.value("a domain that is none")?,
        header_key: reader.key()?,
    })
}

fn clusters(reader: &mut Reader<'_>, changes: &mut Vec<RouteChange>) -> Result<(), Refused> {
    let mut last: Option<ClusterId> = None;
    for _ in 0..reader.u32()? {
        let (id, name) = (ClusterId::from_uuid(reader.uuid()?), reader.value("a cluster's name that is none")?);
        let environment = reader.value("an environment's name that is none")?;
        let address = ServerAddress { host: reader.text()?.into(), port: u16::from_be_bytes(reader.take()?) };
        let (tls, client_certificate) = tls(reader)?;
        let cluster = Cluster { id, name, environment, address, tls, client_certificate, connections_max: reader.u32()? };
        ascends(&mut last, &cluster.id)?;
        changes.push(RouteChange::Cluster(cluster));
    }
    Ok(())
}

fn tls(reader: &mut Reader<'_>) -> Result<(ServerTls, Option<ClientCertificate>), Refused> {
    let kind = reader.u8()?;
    let is_shown = kind > SHOWN;
    let tls = match if is_shown { kind - SHOWN } else { kind } {
        0 => ServerTls::Disable,
        1 => ServerTls::VerifyCa(roots(reader)?),
        2 => ServerTls::VerifyFull(Roots::System),
        3 => ServerTls::VerifyFull(Roots::Given(roots(reader)?)),
        _ => return Err(malformed("an unknown way to speak to a cluster")),
    };
    Ok((tls, if is_shown { Some(client_certificate(reader)?) } else { None }))
}

/// In the one form that it is written in.
fn client_certificate(reader: &mut Reader<'_>) -> Result<ClientCertificate, Refused> {
    let (chain, key) = (reader.text()?, reader.text()?);
    let read = (chain.parse::<CertificateChain>().ok(), key.parse::<ClientKey>().ok());
    match read {
        (Some(read), Some(same)) if read.as_pem() == chain && same.expose_pem().expose() == key => Ok(ClientCertificate::new(read, same)),
        _ => Err(malformed("a client certificate or its key that is none")),
    }
}

/// In the one form that they are written in.
fn roots(reader: &mut Reader<'_>) -> Result<RootCertificates, Refused> {
    let written = reader.text()?;
    let roots: Option<RootCertificates> = written.parse().ok();
    roots.filter(|roots| roots.as_pem() == written).ok_or(malformed("root certificates that are none"))
}

fn credentials(reader: &mut Reader<'_>, changes: &mut Vec<RouteChange>) -> Result<(), Refused> {
    let (mut last, mut ids): (Option<CredentialName>, _) = (None, HashSet::new());
    for _ in 0..reader.u32()? {
        let credential = credential(reader)?;
        ascends(&mut last, &credential.name)?;
        if !ids.insert(credential.id) {
            return Err(malformed("two credentials of one id"));
        }
        changes.push(RouteChange::Credential(credential));
    }
    Ok(())
}

fn credential(reader: &mut Reader<'_>) -> Result<Credential, Refused> {
    Ok(Credential {
        name: reader.value("a credential's name that is none")?,
        id: CredentialId::from_uuid(reader.uuid()?),
        environment: reader.value("an environment's name that is none")?,
        scope: match reader.u8()? {
            0 => Scope::App,
            1 => Scope::Tenant(TenantId::from_uuid(reader.uuid()?)),
            _ => return Err(malformed("an unknown scope")),
        },
        level: match reader.u8()? {
            1 => Level::Owner,
            2 => Level::Rw,
            3 => Level::Ro,
            _ => return Err(malformed("an unknown level")),
        },
        verifier: Verifier {
            salt: reader.bytes()?.into(),
            iterations: reader.u32()?,
            stored_key: reader.key()?,
            server_key: reader.key()?,
        },
        retiring: reader.option(|reader| Ok(SecondKeys { stored_key: reader.key()?, server_key: reader.key()? }))?,
    })
}

fn routes(reader: &mut Reader<'_>, changes: &mut Vec<RouteChange>) -> Result<(), Refused> {
    let (mut last, mut names): (Option<TenantId>, HashSet<(EnvironmentName, TenantSlug)>) = (None, HashSet::new());
    for _ in 0..reader.u32()? {
        let route = route(reader)?;
        ascends(&mut last, &route.tenant)?;
        for name in std::iter::once(&route.slug).chain(&route.aliases) {
            if !names.insert((route.environment.clone(), name.clone())) {
                return Err(malformed("two tenants of one name"));
            }
        }
        changes.push(RouteChange::Route(route));
    }
    Ok(())
}

fn route(reader: &mut Reader<'_>) -> Result<Route, Refused> {
    Ok(Route {
        tenant: TenantId::from_uuid(reader.uuid()?),
        slug: reader.value("a tenant's slug that is none")?,
        environment: reader.value("an environment's name that is none")?,
        state: match reader.u8()? {
            1 => RouteState::Serving,
            2 => RouteState::Suspended,
            3 => RouteState::Deleted,
            4 => RouteState::Paused,
            _ => return Err(malformed("an unknown state")),
        },
        epoch: reader.u64()?,
        cluster: ClusterId::from_uuid(reader.uuid()?),
        database: reader.value("a database's name that is none")?,
        logins: logins(reader)?,
        next_logins: reader.option(logins)?,
        parameters: reader.list(parameter)?,
        limits: limits(reader)?,
        aliases: reader.list(|reader| reader.value("a tenant's slug that is none"))?,
        placement: placement(reader)?,
    })
}

fn placement(reader: &mut Reader<'_>) -> Result<Placement, Refused> {
    Ok(match reader.u8()? {
        0 => Placement::Withheld(Withheld::Unjudged),
        1 => Placement::Withheld(Withheld::Blocked),
        2 => Placement::Certified(Arc::new(certificate(reader)?)),
        _ => return Err(malformed("an unknown kind of placement")),
    })
}

fn certificate(reader: &mut Reader<'_>) -> Result<Certificate, Refused> {
    let claims = Claims {
        tenant: TenantId::from_uuid(reader.uuid()?),
        cluster: ClusterId::from_uuid(reader.uuid()?),
        server: reader.option(|reader| reader.i64().map(SystemIdentifier))?,
        judged_by: reader.option(|reader| Ok(JudgedBy { profile: reader.take()?, registry: reader.take()? }))?,
        allows: match reader.u8()? {
            1 => Allows::All,
            2 => Allows::Reading,
            3 => Allows::Finishing,
            4 => Allows::FinishingReading,
            _ => return Err(malformed("a certificate that allows nobody knows what")),
        },
        issued_at: second(reader)?,
        expires_at: second(reader)?,
    };
    Ok(Certificate { claims, signer: reader.take()?, signature: reader.take()? })
}

fn second(reader: &mut Reader<'_>) -> Result<Timestamp, Refused> {
    Timestamp::from_second(reader.i64()?).map_err(|_| malformed("a time that there is not"))
}

fn authority(reader: &mut Reader<'_>) -> Result<Authority, Refused> {
    let key = reader.take()?;
    let told_at = Timestamp::from_microsecond(reader.i64()?).map_err(|_| malformed("a time that there is not"))?;
    Ok(Authority { key, told_at })
}

fn logins(reader: &mut Reader<'_>) -> Result<Logins, Refused> {
    match reader.u8()? {
        1 => Ok(Logins::from([login(reader)?, login(reader)?, login(reader)?])),
        2 => Ok(Logins::Owner(login(reader)?)),
        _ => Err(malformed("an unknown kind of logins")),
    }
}

fn login(reader: &mut Reader<'_>) -> Result<ServerLogin, Refused> {
    let role = reader.value("a role's name that is none")?;
    Ok(ServerLogin { role, keys: LoginKeys { client_key: reader.key()?, server_key: reader.key()? } })
}

fn parameter(reader: &mut Reader<'_>) -> Result<TenantParameter, Refused> {
    let (name, value) = (reader.text()?, reader.text()?);
    TenantParameter::new(name, value).map_err(|_| malformed("a parameter that no tenant may have"))
}

fn limits(reader: &mut Reader<'_>) -> Result<TenantLimits, Refused> {
    let (min, max, weight) = (reader.u32()?, reader.option(Reader::u32)?, reader.u32()?);
    TenantLimits::new(min, max, weight).map_err(|_| malformed("limits that no tenant may have"))
}

/// One after the other and none twice.
fn ascends<T: Clone + Ord>(last: &mut Option<T>, next: &T) -> Result<(), Refused> {
    if last.as_ref().is_some_and(|last| last >= next) {
        return Err(malformed("two of one name, or another order"));
    }
    *last = Some(next.clone());
    Ok(())
}

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Refused> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(CUT)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, Refused> {
        self.take().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32, Refused> {
        self.take().map(u32::from_be_bytes)
    }

    fn i64(&mut self) -> Result<i64, Refused> {
        self.take().map(i64::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, Refused> {
        self.take().map(u64::from_be_bytes)
    }

    fn uuid(&mut self) -> Result<Uuid, Refused> {
        self.take().map(Uuid::from_bytes)
    }

    fn key(&mut self) -> Result<Secret<[u8; 32]>, Refused> {
        self.take().map(Secret::new)
    }

    fn bytes(&mut self) -> Result<&'a [u8], Refused> {
        let length = usize::try_from(self.u32()?).map_err(|_| CUT)?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(CUT)?;
        self.0 = rest;
        Ok(taken)
    }

    fn text(&mut self) -> Result<&'a str, Refused> {
        str::from_utf8(self.bytes()?).map_err(|_| malformed("a text that is not UTF-8"))
    }

    fn value<T: FromStr>(&mut self, otherwise: &'static str) -> Result<T, Refused> {
        self.text()?.parse().map_err(|_| malformed(otherwise))
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Refused>) -> Result<Option<T>, Refused> {
        match self.u8()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(malformed("neither something nor nothing")),
        }
    }

    /// Takes no room for more than it has read: a count may lie.
    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Result<T, Refused>) -> Result<Box<[T]>, Refused> {
        let mut items = Vec::new();
        for _ in 0..self.u32()? {
            items.push(read(self)?);
        }
        Ok(items.into())
    }
}
