// Debian 12's packages of Ceph's S3 gateway and of what it needs, for Linux on x64.
import type { DebianPackage } from './debian.ts';

export const rgwPackages: readonly DebianPackage[] = [
  {
    requirement: 'ceph-base=16.2.15+ds-0+deb12u2',
    sha256: '958484b1f10af1ecb20224b66f8f80dcdf0594eb5c3ca700a249b069eee7ffef',
  },
  {
    requirement: 'ceph-common=16.2.15+ds-0+deb12u2',
    sha256: '900162e8f07d98c1d0f36136e9cfa95dd35a81d6de3ac695d8983a5c16e7aba5',
  },
  {
    requirement: 'ceph-mon=16.2.15+ds-0+deb12u2',
    sha256: 'a3f92898f36d718bda06746366044c3d89efdcf57fd326cf0316b7177d774fdf',
  },
  {
    requirement: 'ceph-osd=16.2.15+ds-0+deb12u2',
    sha256: 'e7d2a1f62e1d7a28f725d94af45324d58426f53d5160502939525e71695f4501',
  },
  {
    requirement: 'libaio1=0.3.113-4',
    sha256: 'd1476e4beab3d85f8a7d31de94c27472711ed3ef399ce70708e24b259426125b',
  },
  {
    requirement: 'libboost-context1.74.0=1.74.0+ds1-21',
    sha256: '45744bc4599210ac521da1a30cfc15c6d2817bd8311d7759aed9e4f20cd29633',
  },
  {
    requirement: 'libboost-iostreams1.74.0=1.74.0+ds1-21',
    sha256: '231d7e7a14f0ea88942f926f13f1bb3f49404201dee2229cb16d664f96902d86',
  },
  {
    requirement: 'libboost-thread1.74.0=1.74.0+ds1-21',
    sha256: '6fc1f2997cdb0ea76d786a10591ea00559ef663055675f574e406ff2b3bd8912',
  },
  {
    requirement: 'libdaxctl1=76.1-1',
    sha256: 'af5f9ffe642ae25301eb88fdb2fa9e3c06dcfc5e131fbcee7575adf0adcc9abb',
  },
  {
    requirement: 'libfmt9=9.1.0+ds1-2',
    sha256: 'c3d405b6eabb1a521b60a57509826707f0e6f92b41cdfaae06bf1d7c37da2166',
  },
  {
    requirement: 'libfuse2=2.9.9-6+b1',
    sha256: 'df32b8f65d819f854e096896890d6ad632b6e520977bb120bb3143b4c66e2fcd',
  },
  {
    requirement: 'libibverbs1=44.0-2',
    sha256: '35054815259fee46173240254246d03b673a5cd5c528aaac96fd15ac428a8d59',
  },
  {
    requirement: 'libleveldb1d=1.23-4',
    sha256: 'c3816538baa3eb24eef2e0a154847d4954ce66465219b94df9e985168a035ec2',
  },
  {
    requirement: 'liblua5.3-0=5.3.6-2',
    sha256: '576ad8ef2e9f6ad21f29f0c90dac17448deefee8f3912877c2a0911b77e5d3ca',
  },
  {
    requirement: 'libndctl6=76.1-1',
    sha256: '3654dd3a0a05fdc28af8bcd307109ec41a9ea92218bf29816ff467a8c5e7d57f',
  },
  {
    requirement: 'libnl-3-200=3.7.0-0.2+b1',
    sha256: 'd1fc3e9eb8e79b4c96b0a64c3d8c9e068ae2f665cab71bd19f417ffd0453a890',
  },
  {
    requirement: 'libnl-route-3-200=3.7.0-0.2+b1',
    sha256: '0fdcc425ae2982788c085c76a7cb0eda3e3db99d41bd1ce56082ee18e9f1e21f',
  },
  {
    requirement: 'liboath0=2.6.7-3.1+deb12u1',
    sha256: '6d60d503483c19304fa14e15376e67a79d0b433d4d8b454042d3241f574325da',
  },
  {
    requirement: 'libpmem1=1.12.1-2',
    sha256: '63ed00821aecdb5537b51b6f378cf571144d02ac3af2f95141bfa0e397359a76',
  },
  {
    requirement: 'librabbitmq4=0.11.0-1+deb12u3',
    sha256: 'da461d734bf8a1d6a6d9c20e5d68d552aac7e87aa75274c7766c81bb0ca79017',
  },
  {
    requirement: 'librados2=16.2.15+ds-0+deb12u2',
    sha256: '6f4fcfd10f9f6ce86d1ba637adea28f88d5887d1d4a579d4a22f87c1da70d38a',
  },
  {
    requirement: 'librdmacm1=44.0-2',
    sha256: '16b18625834371d023b81477823074ea0d34c478d58dbef3f01107984f47d034',
  },
  {
    requirement: 'libsnappy1v5=1.1.9-3',
    sha256: 'a2ec50d0f92864e7524c96352bc2c62221126ee1ef58f77af7bf369c60b6e98f',
  },
  {
    requirement: 'python3-ceph-argparse=16.2.15+ds-0+deb12u2',
    sha256: '524ff930abeeca08898145ba655ea281ff58a093750cf37583da7fe845461a25',
  },
  {
    requirement: 'python3-ceph-common=16.2.15+ds-0+deb12u2',
    sha256: 'f6ad72a82dd6da1cfdc44ca6ce0adaadd56ed96e1b91e5d1c8bb16e31c751de3',
  },
  {
    requirement: 'python3-prettytable=3.6.0-1',
    sha256: '438c8447425934efdbc6afc54d23e89292ab5b64a576570fbb862e814b5e4c2a',
  },
  {
    requirement: 'python3-rados=16.2.15+ds-0+deb12u2',
    sha256: 'ad85a6f7e5142a28425c7e456ad4d2cf21c0ad1d06bc529f84cd5431b9195ba6',
  },
  {
    requirement: 'python3-wcwidth=0.2.5+dfsg1-1.1',
    sha256: '1c34489112645ca7970a7392902711c155bd9a5b2a5e2019c40c256f03d43c94',
  },
  {
    requirement: 'radosgw=16.2.15+ds-0+deb12u2',
    sha256: '3b1bb60db9ae7ea5661fa3d7afb1b52982985e0f339d299e4dd4d35b313a365f',
  },
];
